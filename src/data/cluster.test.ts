import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestCluster, type TestCluster, until } from '../testing/index.ts'
import { openCluster } from './cluster.ts'
import type { BatchWrite } from './database.ts'

let running: TestCluster
before(async () => {
  running = await startTestCluster({ shards: 2 })
  for (const shard of running.cluster.shards) {
    await shard.query(
      'CREATE TABLE public.thing (bucket smallint NOT NULL, id int, note text, PRIMARY KEY (bucket, id))',
    )
    await shard.query(`SELECT groundswell.guard_table('public.thing')`)
  }
})
after(() => running.stop())

const INSERT = 'INSERT INTO public.thing SELECT unnest($1::smallint[]), unnest($2::int[])'
const soon = () => ({ deadlineAtMs: Date.now() + 10_000 })

async function ownersOf(id: number): Promise<number[]> {
  const found = await Promise.all(
    running.cluster.shards.map((shard) => shard.query('SELECT FROM public.thing WHERE id = $1', [id])),
  )
  return found.flatMap((rows, shard) => rows.map(() => shard))
}

/** Gives a bucket to another shard the way a move ends, behind the back of the open cluster. */
async function moveBucket(bucket: number, to: number): Promise<void> {
  const { shards, home } = running.cluster
  for (const shard of shards) {
    const state = shard.index === to ? 'owned' : 'absent'
    await shard.query('UPDATE groundswell.shard_bucket SET state = $1, epoch = epoch + 1 WHERE bucket = $2', [
      state,
      bucket,
    ])
  }
  await home.query('UPDATE groundswell.bucket_directory SET shard = $1 WHERE bucket = $2', [to, bucket])
  await home.query('UPDATE groundswell.directory_epoch SET epoch = epoch + 1')
}

test('the database refuses rows of buckets that it does not own, whole statements at a time, INSERT and UPDATE', async () => {
  const [shard] = running.cluster.shards
  assert.ok(shard !== undefined)
  const refused = { code: 'DATA_BUCKET_NOT_OWNED', message: /bucket 3 of public\.thing is not owned/ }
  await assert.rejects(
    shard.query(INSERT, [
      [2, 3, 4],
      [1, 2, 3],
    ]),
    refused,
  )
  await shard.query(INSERT, [
    [2, 4],
    [1, 3],
  ])
  await assert.rejects(shard.query('UPDATE public.thing SET bucket = 3 WHERE id = 1'), refused)
  await assert.rejects(shard.query(INSERT, [[6_000], [1]]), { code: 'DATA_BUCKET_NOT_OWNED' })
  assert.deepEqual([await ownersOf(1), await ownersOf(2), await ownersOf(3)], [[0], [], [0]])
})

test('a fenced bucket is refused, and a table without a bucket column cannot be guarded', async () => {
  const [shard] = running.cluster.shards
  await shard?.query(`UPDATE groundswell.shard_bucket SET state = 'fenced' WHERE bucket = 8`)
  await assert.rejects(async () => shard?.query(INSERT, [[8], [8]]), { code: 'DATA_BUCKET_NOT_OWNED' })
  await shard?.query(`UPDATE groundswell.shard_bucket SET state = 'owned' WHERE bucket = 8`)
  await shard?.query(INSERT, [[8], [8]])
  await assert.rejects(
    async () => shard?.query(`SELECT groundswell.guard_table('groundswell.migration')`),
    /smallint NOT NULL/,
  )
})

test('a write routed by a stale directory ends on the shard that owns the bucket by now', async () => {
  const { cluster } = running
  const operation: BatchWrite<number, number> = {
    name: 'insert thing',
    async run(tx, ids) {
      void tx.query(INSERT, [ids.map((id) => id % 5_040), ids])
      return ids.map(() => tx.shard)
    },
  }
  const byWrite = 5_040 + 11
  await moveBucket(11, 0)
  assert.equal(cluster.locate(byWrite).shard, 1)
  assert.equal(await cluster.forKey(byWrite).write(operation, byWrite), 0)
  assert.equal(cluster.locate(byWrite).shard, 0)
  assert.equal(cluster.directory().epoch, 2)
  const byTransaction = 5_040 + 13
  await moveBucket(13, 0)
  const ranOn = await cluster.forKey(byTransaction).transaction(async (tx) => {
    await tx.query(INSERT, [[13], [byTransaction]])
    return tx.shard
  })
  assert.equal(ranOn, 0)
  assert.deepEqual([await ownersOf(byWrite), await ownersOf(byTransaction)], [[0], [0]])
})

test('work that writes another bucket than its key has is refused once, without running again', async () => {
  let runs = 0
  const wrong = running.cluster.forKey(20).transaction(async (tx) => {
    runs += 1
    await tx.query(INSERT, [[21], [21]])
  })
  await assert.rejects(wrong, { code: 'DATA_BUCKET_NOT_OWNED' })
  assert.equal(runs, 1)
})

test('databases that do not answer are all named, without their passwords', async () => {
  const urls = ['postgres://me:secret-1@127.0.0.1:1/first', 'postgres://me:secret-2@127.0.0.1:2/second']
  await assert.rejects(openCluster({ urls }), (error: { code: string; message: string }) => {
    assert.equal(error.code, 'DATA_UNREACHABLE')
    assert.match(error.message, /shard 0 \(127\.0\.0\.1:1\/first\).*shard 1 \(127\.0\.0\.1:2\/second\)/)
    assert.doesNotMatch(error.message, /secret/)
    return true
  })
})

test('the databases of a cluster are refused in another order or number, and stay as they are', async () => {
  const [first = '', second = ''] = running.urls
  for (const urls of [[second, first], [first], [second], [first, second, first], [first, first]]) {
    await assert.rejects(openCluster({ urls }), { code: 'DATA_SHARDS_MISMATCH' })
  }
  const again = await openCluster({ urls: running.urls })
  await again.loadDirectory()
  assert.deepEqual(again.directory(), running.cluster.directory())
  await again.close(soon())
})

test('one fresh database given as two shards is refused', async () => {
  const url = new URL(running.urls[0] ?? '')
  await running.cluster.home.query('CREATE DATABASE lonely TEMPLATE template0')
  url.pathname = '/lonely'
  const cluster = await openCluster({ urls: [url.href, url.href] })
  await assert.rejects(cluster.migrate([]), { code: 'DATA_SHARDS_MISMATCH' })
  await cluster.close(soon())
  // Nothing was claimed: alone it becomes a cluster of one.
  const alone = await openCluster({ urls: [url.href] })
  await alone.migrate([])
  await alone.loadDirectory()
  assert.equal(alone.locate(12_345).shard, 0)
  await alone.close(soon())
})

test('closing finishes what was accepted and refuses what is new', async () => {
  const cluster = await openCluster({ urls: running.urls })
  let commit = () => {}
  const gate = new Promise<void>((resolve) => {
    commit = resolve
  })
  let isOpen = false
  const accepted = cluster.home.transaction(async (tx) => {
    isOpen = true
    await gate
    await tx.query(INSERT, [[100], [100]])
  })
  await until(() => isOpen)
  const closed = cluster.close(soon())
  await assert.rejects(cluster.home.query('SELECT 1'), { code: 'DATA_CLOSED' })
  commit()
  await Promise.all([accepted, closed])
  assert.deepEqual(await ownersOf(100), [0])
})

test('closing cuts off what is left at the deadline', async () => {
  const cluster = await openCluster({ urls: running.urls })
  const endless = assert.rejects(cluster.home.query('SELECT pg_sleep(8)'), { code: 'DATA_CONNECTION_LOST' })
  await until(() => cluster.stats()[0]?.idle === 0 && cluster.stats()[0]?.total === 1)
  await cluster.close({ deadlineAtMs: Date.now() })
  await endless
})

test('closing does not wait for a transaction that never ends', async () => {
  const cluster = await openCluster({ urls: running.urls })
  const begun = Promise.withResolvers<void>()
  const stuck = Promise.withResolvers<void>()
  const transaction = cluster.home.transaction(async (tx) => {
    await tx.query('SELECT 1')
    begun.resolve()
    await stuck.promise
  })
  const failed = assert.rejects(transaction, { code: 'DATA_CONNECTION_LOST' })
  await begun.promise
  await cluster.close({ deadlineAtMs: 0 })
  stuck.resolve()
  await failed
})

test('a process keeps within its budget of connections, and waiting for one of them is bounded', async () => {
  const cluster = await openCluster({ urls: running.urls, connectionsMax: 4 })
  const [shard] = cluster.shards
  await Promise.all(Array.from({ length: 50 }, () => shard?.query('SELECT pg_sleep(0.001)')))
  assert.equal(cluster.stats()[0]?.total, 2)
  await cluster.close(soon())
})

test('notifications arrive, also after the listening connection broke', async () => {
  const { cluster } = running
  const payloads: string[] = []
  const stop = await cluster.listen(1, 'weather', (payload) => payloads.push(payload))
  const notify = (payload: string) => cluster.shards[1]?.query(`SELECT pg_notify('weather', $1)`, [payload])
  await notify('rain')
  await until(() => payloads.includes('rain'))
  await cluster.shards[1]?.query(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'groundswell-test-listen'`,
  )
  await until(() => payloads.includes(''), { what: 'the connection is renewed' })
  await notify('sun')
  await until(() => payloads.includes('sun'))
  await stop()
  await stop()
})

test('processes that claim fresh databases at once agree on one cluster', async () => {
  const urls = await Promise.all(
    ['pair_0', 'pair_1'].map(async (name) => {
      const url = new URL(running.urls[0] ?? '')
      await running.cluster.home.query(`CREATE DATABASE ${name} TEMPLATE template0`)
      url.pathname = `/${name}`
      return url.href
    }),
  )
  const clusters = await Promise.all([1, 2, 3].map(() => openCluster({ urls })))
  await Promise.all(clusters.map((cluster) => cluster.migrate([])))
  for (const cluster of clusters) {
    await cluster.loadDirectory()
    assert.equal(cluster.locate(12_345).shard, 1)
    await cluster.close(soon())
  }
})
