import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { event, newContext, systemClock } from '../core/index.ts'
import { systemMigrations } from '../data/index.ts'
import { delivered, emit, eventsMigrations, onBatch, startEvents } from '../events/index.ts'
import { createTelemetry, type Exchange } from '../telemetry/index.ts'
import { startTestCluster, until } from '../testing/index.ts'
import { pollLag } from './lag-poll.ts'

const Tick = event('test.tick', 1, z.object({ serial: z.int() }), { key: () => 1 })

/** Two processes; what each publishes is heard by the other at once, and kept. */
function twoExchanges() {
  const listeners: (Parameters<Exchange['receive']>[0] | undefined)[] = []
  const published: string[][] = [[], []]
  const exchanges = [0, 1].map(
    (own): Exchange => ({
      publish(kind, payload) {
        published[own]?.push(Buffer.from(payload).toString())
        listeners[1 - own]?.(kind, payload)
      },
      receive(listener) {
        listeners[own] = listener
        return () => {
          listeners[own] = undefined
        }
      },
    }),
  )
  return { exchanges, published }
}

/** A cluster where a group has had an event; whoever sequenced and delivered is gone. */
async function clusterLeftAlone() {
  const started = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
  const { cluster } = started
  const consumer = onBatch(Tick, async (_deliveries, { tx }) => void (await tx.query('SELECT 1')))
  const groups = [{ name: 'reader', consumers: [consumer] }]
  const events = await startEvents({ cluster, groups, owner: 'gone', sequence: true })
  let count = 0
  const unsubscribe = delivered.subscribe((fact) => {
    count += fact.events
  })
  await cluster.home.transaction(async (tx) => emit(tx, Tick, { serial: 1 }, newContext()))
  await until(() => count === 1, { what: 'an event' })
  unsubscribe()
  await events.stop({ deadlineAtMs: systemClock.now() + 5_000 })
  return started
}

test('when nobody tells any lag, the process with the console asks for it, until another tells', async (t) => {
  const { cluster, stop } = await clusterLeftAlone()
  const { exchanges, published } = twoExchanges()
  const [here, there] = exchanges.map((exchange, index) =>
    createTelemetry({ instance: `host:${index}`, services: [], clock: systemClock, exchange, collects: index === 0 }),
  )
  assert.ok(here && there)
  const readers = () =>
    here
      .history(0)
      .at(-1)
      ?.lag.map(({ topic, group }) => `${group} on ${topic}`)
  const end = pollLag({ cluster, broker: undefined, telemetry: here, standsIn: true })
  t.after(async () => {
    await end()
    await Promise.all([here.stop(), there.stop()])
    await stop()
  })
  here.start()
  await until(() => readers()?.[0] === 'reader on test.tick', {
    timeoutMs: 30_000,
    what: 'the lag read by the console',
  })
  assert.ok(
    published[0]?.every((second) => second.includes('"lag":[]')),
    'what the console found out for itself it tells no other console',
  )
  const rates = { writtenPerSecond: 0, consumedPerSecond: 0 }
  there.lag([{ topic: 'elsewhere', group: 'another', messages: 1, seconds: 1, ...rates }])
  there.start()
  await until(() => readers()?.join() === 'another on elsewhere', {
    timeoutMs: 30_000,
    what: 'only what another tells',
  })
})
