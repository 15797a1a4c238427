import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { z } from 'zod'
import { event, newContext } from '../core/index.ts'
import { type OpenCluster, openCluster, systemMigrations } from '../data/index.ts'
import { startTestCluster, type TestCluster, until } from '../testing/index.ts'
import { delivered } from './channels.ts'
import { type EventsRuntime, emit, eventsMigrations, onBatch, startEvents } from './index.ts'
import { READ_POLL_MS_REMOTE } from './limits.ts'

const Tick = event('test.tick', 1, z.object({ serial: z.int() }), { key: () => 1 })

/** One process sequences; the other only consumes, and hears of new events by notices or, without them, by polling. */
let started: TestCluster
let reader: OpenCluster
let sequencing: EventsRuntime
let consuming: EventsRuntime | undefined
const seen: number[] = []

before(async () => {
  started = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations] })
  reader = await openCluster({ urls: started.urls, applicationName: 'reader' })
  await reader.loadDirectory()
  sequencing = await startEvents({ cluster: started.cluster, groups: [], owner: 'sequencer', sequence: true })
})
after(async () => {
  await consuming?.stop({ deadlineAtMs: Date.now() + 5_000 })
  await sequencing?.stop({ deadlineAtMs: Date.now() + 5_000 })
  await reader?.close({ deadlineAtMs: Date.now() + 5_000 })
  await started?.stop()
})

const consume = async (cluster: OpenCluster) => {
  const consumer = onBatch(Tick, async (deliveries, { tx }) => {
    await tx.query('SELECT 1')
    seen.push(...deliveries.map((delivery) => delivery.event.payload.serial))
  })
  const groups = [{ name: 'reader', consumers: [consumer] }]
  consuming = await startEvents({ cluster, groups, owner: 'reader', sequence: false })
}
const write = async (serial: number) => {
  await started.cluster.home.transaction(async (tx) => emit(tx, Tick, { serial }, newContext()))
  await until(() => seen.includes(serial), { what: `event ${serial}` })
}

test('C3 26: events whose notices are lost are delivered by polling, each once', async (t) => {
  // A listener that never hears anything.
  const deaf: OpenCluster = new Proxy(reader, {
    get: (cluster, name) => {
      if (name === 'listen') return async () => async () => undefined
      const value: unknown = Reflect.get(cluster, name, cluster)
      return typeof value === 'function' ? value.bind(cluster) : value
    },
  })
  const ages: number[] = []
  const unsubscribe = delivered.subscribe(({ oldestAtMs }) => ages.push(Date.now() - oldestAtMs))
  await consume(deaf)
  for (let serial = 0; serial < 10; serial++) await write(serial)
  unsubscribe()
  await consuming?.stop({ deadlineAtMs: Date.now() + 5_000 })
  assert.deepEqual(
    seen,
    Array.from({ length: 10 }, (_, serial) => serial),
  )
  t.diagnostic(`delivered after ${ages.map(Math.round).join(', ')} ms, polling every ${READ_POLL_MS_REMOTE} ms or so`)
})

test('C3 26: a listening connection that is cut delays events and loses none', async () => {
  seen.length = 0
  await consume(reader)
  for (let serial = 0; serial < 5; serial++) {
    await started.cluster.home.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'reader' AND query ILIKE 'LISTEN%'`,
    )
    await write(serial)
  }
  assert.deepEqual(seen, [0, 1, 2, 3, 4])
})
