import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { event, newContext, systemClock } from '../core/index.ts'
import { systemMigrations } from '../data/index.ts'
import { type BrokerUse, emit, eventsMigrations, on, openBroker, startEvents } from '../events/index.ts'
import { rabbitMqMissing, startRabbitMqServer, startTestCluster, until } from '../testing/index.ts'
import { consoleEvents } from './console-events.ts'

const Sent = event('test.sent', 1, z.object({ account: z.int() }), { key: ({ account }) => account })
const GROUP = 'mail'

test('the console sees the groups of a broker and the forwarder, and while the broker is away both, unknown', {
  skip: rabbitMqMissing(),
}, async (t) => {
  const server = await startRabbitMqServer()
  const { cluster, stop } = await startTestCluster({ shards: 2, migrations: [systemMigrations, eventsMigrations] })
  const engine = await openBroker({ url: server.url, clientId: 'console' })
  const broker: BrokerUse = {
    engine,
    declaration: {
      topics: [{ name: Sent.name, partitions: 2, retentionMs: 3_600_000 }],
      groups: [{ name: GROUP, topics: [Sent.name] }],
    },
  }
  const groups = [{ name: GROUP, consumers: [on(Sent, async () => {})] }]
  const runtime = await startEvents({ cluster, broker, groups, owner: 'test', sequence: true })
  let isServing = true
  const stopServer = async () => {
    if (isServing) await server.stop()
    isServing = false
  }
  t.after(async () => {
    await runtime.stop({ deadlineAtMs: systemClock.now() + 10_000 })
    await engine.close()
    await stop()
    await stopServer()
  })
  const events = consoleEvents(cluster, broker)
  const of = async (name: string) => (await events.positions()).filter(({ group }) => group === name)
  const write = (account: number) => cluster.home.transaction(async (tx) => emit(tx, Sent, { account }, newContext()))

  for (let account = 0; account < 8; account++) await write(account)
  await until(async () => (await of(GROUP)).length === 2 && (await of(GROUP)).every((one) => one.lag === 0))
  assert.deepEqual(
    (await of(GROUP)).map(({ topic, partition, shard, isPaused, isUnknown }) => ({
      topic,
      partition,
      shard,
      isPaused,
      isUnknown,
    })),
    [0, 1].map((partition) => {
      return { topic: Sent.name, partition, shard: undefined, isPaused: false, isUnknown: undefined }
    }),
  )
  await events.pause({ group: GROUP, paused: true })
  assert.ok((await of(GROUP)).every(({ isPaused }) => isPaused))

  await stopServer()
  await write(1)
  await until(async () => (await of('~broker')).some((one) => one.lag > 0), { what: 'the forwarder lags' })
  assert.deepEqual(
    (await of(GROUP)).map(({ topic, isUnknown, isPaused }) => ({ topic, isUnknown, isPaused })),
    [{ topic: Sent.name, isUnknown: true, isPaused: true }],
  )
})
