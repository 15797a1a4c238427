import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { z } from 'zod'
import { event, newContext, systemClock } from '../core/index.ts'
import { type OpenCluster, openCluster, startEmbeddedPostgres, systemMigrations } from '../data/index.ts'
import { until } from '../testing/index.ts'
import { emit, eventsMigrations, onBatch, startEvents } from './index.ts'
import { isSettled } from './settled-fixture.ts'

const Tick = event('test.tick', 1, z.object({ account: z.int(), serial: z.int() }), { key: (tick) => tick.account })
const EVENTS_EACH = 3_000
const CRASHES = 2

/** Effects of each event on the shard of its key and on the home shard, hence also from one database to another. */
const consumerOf = (group: string, target: 'key' | 'home') =>
  onBatch(
    Tick,
    async (deliveries, { tx }) => {
      const ticks = deliveries.map((delivery) => delivery.event.payload)
      await tx.query(
        'INSERT INTO test.effect (grp, account, serial) SELECT $1, e.* FROM unnest($2::int[], $3::int[]) AS e',
        [group, ticks.map((tick) => tick.account), ticks.map((tick) => tick.serial)],
      )
    },
    { target },
  )

const soon = () => ({ deadlineAtMs: systemClock.now() + 10_000 })

test('C3 12: a crash of the database server in the midst of deliveries repeats and loses no effect', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'groundswell-crash-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  for (let crash = 0; crash <= CRASHES; crash++) {
    await using running = await startRunning(folder)
    const { cluster, server } = running
    if (crash > 0) await assertCaughtUp(cluster, crash * EVENTS_EACH)
    if (crash === CRASHES) break
    for (const shard of cluster.shards) {
      for (let serial = crash * EVENTS_EACH; serial < (crash + 1) * EVENTS_EACH; serial += 100) {
        await shard.transaction(async (tx) => {
          for (let n = 0; n < 100; n++) emit(tx, Tick, { account: shard.index, serial: serial + n }, newContext())
        })
      }
    }
    // Once in the midst of the backlog, then with the last effects hardly committed.
    const enough = (crash === 0 ? 0.5 : 1) * (crash + 1) * EVENTS_EACH
    await until(async () => (await effects(cluster, 0, 'home')).length >= 2 * enough)
    const seen = (await effects(cluster, 0, 'home')).length
    process.kill(server.pid, 'SIGQUIT')
    t.diagnostic(`crash ${crash + 1} with ${seen} effects on the home shard`)
    await server.exited
  }
})

async function startRunning(folder: string) {
  const server = await startEmbeddedPostgres({ dataDir: join(folder, 'postgres'), shards: 2 })
  const cluster = await openCluster({ urls: server.urls })
  await cluster.migrate([systemMigrations, eventsMigrations])
  await cluster.loadDirectory()
  await createTables(cluster)
  const events = await startEvents({
    cluster,
    groups: [
      { name: 'key', consumers: [consumerOf('key', 'key')] },
      { name: 'home', consumers: [consumerOf('home', 'home')] },
    ],
    owner: 'test',
    sequence: true,
  })
  return {
    cluster,
    server,
    async [Symbol.asyncDispose]() {
      // After a crash nothing can be given back: what is left is to end.
      await Promise.allSettled([events.stop({ deadlineAtMs: 0 })])
      await Promise.allSettled([cluster.close(soon())])
      await server.stop(soon())
    },
  }
}

async function createTables(cluster: OpenCluster): Promise<void> {
  for (const shard of cluster.shards) {
    await shard.query('CREATE SCHEMA IF NOT EXISTS test')
    await shard.query(
      'CREATE TABLE IF NOT EXISTS test.effect (seq bigserial PRIMARY KEY, grp text, account int, serial int)',
    )
  }
}

const effects = (cluster: OpenCluster, shard: number, group: string) =>
  cluster.shards[shard]?.query<{ account: number; serial: number }>(
    'SELECT account, serial FROM test.effect WHERE grp = $1 ORDER BY seq',
    [group],
  ) ?? Promise.resolve([])

async function assertCaughtUp(cluster: OpenCluster, count: number): Promise<void> {
  await until(() => isSettled(cluster), { timeoutMs: 30_000 })
  const serials = Array.from({ length: count }, (_, serial) => serial)
  for (const { index } of cluster.shards) {
    assert.deepEqual(
      (await effects(cluster, index, 'key')).map((row) => row.serial),
      serials,
      `effects on shard ${index}`,
    )
    assert.deepEqual(
      (await effects(cluster, 0, 'home')).filter((row) => row.account === index).map((row) => row.serial),
      serials,
      `effects of shard ${index} on the home shard`,
    )
  }
}
