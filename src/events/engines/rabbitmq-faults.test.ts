import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Connection } from 'rabbitmq-client'
import { z } from 'zod'
import { event, newContext } from '../../core/index.ts'
import { systemMigrations } from '../../data/index.ts'
import { rabbitMqMissing, startRabbitMqServer, startTestCluster, until } from '../../testing/index.ts'
import { workFailed } from '../channels.ts'
import { emit, eventsMigrations, on, startEvents } from '../index.ts'
import { openRabbitMq } from './rabbitmq.ts'

const Counted = event('fault.counted', 1, z.object({ key: z.int(), n: z.int() }), { key: ({ key }) => key })
const GROUP = 'fault-readers'
const DECLARATION = {
  topics: [{ name: Counted.name, partitions: 2, retentionMs: 60_000 }],
  groups: [{ name: GROUP, topics: [Counted.name] }],
}

describe('RabbitMQ under the delivery of events', { skip: rabbitMqMissing() }, () => {
  let server: Awaited<ReturnType<typeof startRabbitMqServer>>
  let home: Awaited<ReturnType<typeof startTestCluster>>
  let reading: Awaited<ReturnType<typeof start>> | undefined
  const seen: { readonly key: number; readonly n: number }[] = []

  before(async () => {
    server = await startRabbitMqServer()
    home = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
  })
  after(async () => {
    await reading?.stop()
    await home?.stop()
    await server?.stop()
  })

  const start = async (consumes: boolean) => {
    const engine = await openRabbitMq({ url: server.url, clientId: 'faults' })
    const consumers = [on(Counted, async ({ payload }) => void seen.push(payload))]
    const events = await startEvents({
      cluster: home.cluster,
      broker: { engine, declaration: DECLARATION },
      groups: consumes ? [{ name: GROUP, consumers }] : [],
      owner: 'faults',
      sequence: true,
    })
    return {
      engine,
      async stop() {
        await events.stop({ deadlineAtMs: Date.now() + 5_000 })
        await engine.close()
      },
    }
  }

  const write = (key: number, n: number) =>
    home.cluster.home.transaction(async (tx) => emit(tx, Counted, { key, n }, newContext()))
  const seenOf = (key: number) => seen.filter((one) => one.key === key).map((one) => one.n)

  test('records that somebody removed stop their partition, which says so; the other goes on', async () => {
    reading = await start(true)
    const keys = Array.from({ length: 8 }, (_, key) => key)
    for (const key of keys) await write(key, 1)
    await until(() => seen.length === 8)
    await reading.stop()
    reading = undefined

    const writing = await start(false)
    await write(0, 2)
    const waiting = async () => (await writing.engine.lag(DECLARATION.groups)).filter((row) => row.messages > 0)
    await until(async () => (await waiting()).length === 1)
    const lost = (await waiting())[0]?.partition ?? -1
    await purge(`groundswell.${GROUP}:${Counted.name}:${lost}`)
    await writing.stop()

    const gaps: string[] = []
    const end = workFailed.subscribe(({ error }) => {
      const { code, message } = error as { code?: string; message: string }
      if (code === 'EVENTS_OFFSET_EXPIRED') gaps.push(message)
    })
    reading = await start(true)
    for (const key of keys) await write(key, 3)
    await until(() => gaps.length > 0, { what: 'the gap is told of' })
    await until(() => keys.some((key) => seenOf(key).includes(3)), { what: 'the other partition goes on' })
    assert.match(gaps[0] ?? '', new RegExp(`${Counted.name}/${lost}`))
    assert.deepEqual(seenOf(0), [1])
    end()
  })

  async function purge(queue: string): Promise<void> {
    const connection = new Connection({ url: server.url.replace('//', '//guest:guest@') })
    await connection.queuePurge(queue)
    await connection.close()
  }
})
