import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { z } from 'zod'
import { type CacheDeclaration, cache, cacheLoaded, Fences, fillRejected } from '../../cache/index.ts'
import { newContext } from '../../core/index.ts'
import { startTestCluster, type TestCluster, until } from '../../testing/index.ts'
import { serviceMigrations } from '../idempotency.ts'
import type { Reply } from '../reply.ts'
import { type Caching, type CachingOptions, startCaching } from './caching.ts'
import { invalidate } from './invalidate.ts'
import type { LoadReader } from './load-reader.ts'
import { purgeInvalidations } from './retention.ts'
import { withReadVersion } from './versions.ts'

const HOUR_MS = 3_600_000
const Price = z.int().nullable()
const prices: CacheDeclaration<number | null> = cache('prices', { schema: Price, ttlMs: HOUR_MS })

let database: TestCluster
let caching: Caching
const opened: Caching[] = []

before(async () => {
  database = await startTestCluster({ shards: 2, migrations: [serviceMigrations] })
  for (const shard of database.cluster.shards) {
    await shard.query('CREATE TABLE price (sku text PRIMARY KEY, cents int NOT NULL)')
  }
})

after(async () => {
  await stopAll()
  await database?.stop()
})

beforeEach(async () => {
  await stopAll()
  for (const shard of database.cluster.shards) await shard.query('DELETE FROM price')
  caching = await open()
})

async function open(options: Omit<CachingOptions, 'cluster'> = {}): Promise<Caching> {
  const started = await startCaching({ cluster: database.cluster, ...options })
  opened.push(started)
  return started
}

async function stopAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((one) => one.stop({ deadlineAtMs: Date.now() + 5_000 })))
}

async function query(from: Pick<LoadReader, 'home'>, sku: string): Promise<number | null> {
  const [row] = await from.home.query<{ cents: number }>('SELECT cents FROM price WHERE sku = $1', [sku])
  return row?.cents ?? null
}

function read(sku: string, from: Caching = caching): Promise<number | null> {
  return from.caches(prices).getOrLoad(sku, { tags: [`price:${sku}`] }, (reader) => query(reader, sku))
}

const SAVE = `
  INSERT INTO price VALUES ($1, $2) ON CONFLICT (sku) DO UPDATE SET cents = excluded.cents`

async function save(sku: string, cents: number, context = newContext()): Promise<void> {
  await database.cluster.home.transaction(async (tx) => {
    tx.query(SAVE, [sku, cents])
    invalidate(tx, [`price:${sku}`], context)
  })
}

/** Counts the loads of the test. */
function loads(): { count: () => number; end: () => void } {
  let count = 0
  const end = cacheLoaded.subscribe(() => {
    count += 1
  })
  return { count: () => count, end }
}

/** The late fill: a load reads the old price, the change of it is acknowledged, then the load stores what it has. */
async function lateFill(from: Caching): Promise<{ first: number | null; after: number | null; later: number | null }> {
  await save('late', 100)
  let open: () => void = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  let isRead = false
  const first = from.caches(prices).getOrLoad('late', { tags: ['price:late'] }, async (reader) => {
    const price = await query(reader, 'late')
    isRead = true
    await gate
    return price
  })
  await until(() => isRead, { what: 'the old price is read' })
  await save('late', 200)
  const after = read('late', from)
  open()
  return { first: await first, after: await after, later: await read('late', from) }
}

test('a value is loaded once and then served from memory', async () => {
  await save('kite', 100)
  const counted = loads()
  assert.equal(await read('kite'), 100)
  assert.equal(await read('kite'), 100)
  counted.end()
  assert.equal(counted.count(), 1)
})

test('a late fill never brings the old price back once the change was acknowledged', async () => {
  const rejected: string[] = []
  const end = fillRejected.subscribe(({ reason }) => rejected.push(reason))
  const seen = await lateFill(caching)
  end()
  assert.deepEqual(seen, { first: 100, after: 200, later: 200 })
  assert.deepEqual(rejected, ['fenced'])
})

test('with the comparison of fences disabled the late fill does bring it back: the test above can fail', async () => {
  class Unfenced extends Fences {
    override verdict(): 'valid' {
      return 'valid'
    }
  }
  const seen = await lateFill(await open({ fences: new Unfenced() }))
  assert.deepEqual(seen, { first: 100, after: 100, later: 100 })
})

test('1,000 concurrent misses are one load', async () => {
  await save('rush', 100)
  const counted = loads()
  const answers = await Promise.all(Array.from({ length: 1_000 }, () => read('rush')))
  counted.end()
  assert.deepEqual(new Set(answers), new Set([100]))
  assert.equal(counted.count(), 1)
})

test('a transaction that rolls back invalidates nothing, and a load within it keeps only what is committed', async () => {
  await save('back', 100)
  assert.equal(await read('back'), 100)
  const counted = loads()
  await assert.rejects(
    database.cluster.home.transaction(async (tx) => {
      await tx.query(SAVE, ['back', 666])
      invalidate(tx, ['price:back'])
      assert.equal(await read('back'), 100)
      await caching.caches(prices).getOrLoad('inside', { tags: ['price:back'] }, (reader) => query(reader, 'back'))
      throw new Error('changed my mind')
    }),
    /changed my mind/,
  )
  assert.equal(await read('back'), 100)
  assert.equal(await caching.caches(prices).get('inside'), 100)
  counted.end()
  assert.equal(counted.count(), 1, 'the load within')
  const rows = await database.cluster.home.query(`SELECT FROM groundswell.cache_invalidation WHERE tag = 'price:back'`)
  assert.equal(rows.length, 1, 'of the price that was saved')
})

test('what is invalidated in the course of a commit is invalidated too', async () => {
  await save('hook', 100)
  assert.equal(await read('hook'), 100)
  await database.cluster.home.transaction(async (tx) => {
    invalidate(tx, ['something-else'])
    tx.beforeCommit(async () => {
      await tx.query(SAVE, ['hook', 200])
      invalidate(tx, ['price:hook'])
    })
  })
  assert.equal(await read('hook'), 200)
})

test('a process whose follower hears nothing stops serving after two seconds', async () => {
  await save('silent', 100)
  assert.equal(await read('silent'), 100)
  // A table that cannot be read is silence.
  await database.cluster.home.query('ALTER TABLE groundswell.cache_floor RENAME TO cache_floor_away')
  try {
    await until(async () => (await caching.caches(prices).get('silent')) === undefined, { what: 'nothing is served' })
    assert.equal(await read('silent'), 100, 'the database still answers')
  } finally {
    await database.cluster.home.query('ALTER TABLE groundswell.cache_floor_away RENAME TO cache_floor')
  }
  await until(async () => (await caching.caches(prices).get('silent')) === 100, { what: 'served again' })
})

test('an entry of one run of the server is worth nothing in the next', async () => {
  await save('crash', 100)
  assert.equal(await read('crash'), 100)
  // What PostgreSQL does to its statistics when it recovers from the death of a backend.
  await database.cluster.home.query(`SELECT pg_stat_reset_shared('wal')`)
  await until(async () => (await caching.caches(prices).get('crash')) === undefined, { what: 'the new run is noticed' })
  assert.equal(await read('crash'), 100)
  assert.equal(await caching.caches(prices).get('crash'), 100)
})

test('purging keeps the newest row of each tag, and raises the floor by what is too old', async () => {
  const home = database.cluster.home
  for (const cents of [1, 2, 3]) await save('often', cents)
  await save('old', 1)
  const rowsOf = (tag: string) => home.query(`SELECT FROM groundswell.cache_invalidation WHERE tag = $1`, [tag])
  await purgeInvalidations(database.cluster)
  assert.equal((await rowsOf('price:often')).length, 1)
  const [old] = await home.query<{ xid: string }>(`
    UPDATE groundswell.cache_invalidation SET written_at = now() - interval '26 hours' WHERE tag = 'price:old'
    RETURNING xid::text`)
  await purgeInvalidations(database.cluster)
  assert.equal((await rowsOf('price:old')).length, 0)
  const [floor] = await home.query<{ xid: string }>('SELECT xid::text FROM groundswell.cache_floor')
  assert.deepEqual(floor, old)
  // What was read before the purged invalidation is refused by the floor, in a process that never saw the row.
  const other = await open()
  assert.equal(await read('old', other), 1)
})

test('a process that starts knows what was invalidated before', async () => {
  await save('before', 100)
  const rows = await database.cluster.home.query<{ count: number }>(
    `SELECT count(*) FROM groundswell.cache_invalidation`,
  )
  assert.ok((rows[0]?.count ?? 0) > 0)
  const fences = new Fences()
  await open({ fences })
  assert.ok(fences.size > 0)
})

test('an answer to a write carries a token, and whoever brings it back is shown nothing older', async () => {
  const context = newContext()
  await save('mine', 200, context)
  const answer = withReadVersion<Reply>({ status: 200, body: null }, context)
  const token = answer.headers?.['gs-rv'] ?? ''
  assert.match(token, /^0:\d+$/)
  assert.match(answer.headers?.['set-cookie'] ?? '', new RegExp(`^gs-rv=${token}; Path=/; Max-Age=3;`))
  assert.deepEqual(withReadVersion({ status: 200, body: null }, newContext()), { status: 200, body: null })
})

test('a load across shards is fenced by each of them', async () => {
  const [, second] = database.cluster.shards
  assert.ok(second)
  await second.query(SAVE, ['everywhere', 1])
  const total = () =>
    caching.caches(prices).getOrLoad('total', { tags: ['total'] }, async (reader) => {
      const text = 'SELECT sku, cents FROM price ORDER BY sku LIMIT 10'
      const rows = await reader.scatter<{ cents: number }>({
        text,
        orderBy: [{ column: 'sku', direction: 'asc' }],
        limit: 10,
      })
      return rows.reduce((sum, { cents }) => sum + cents, 0)
    })
  assert.equal(await total(), 1)
  await second.transaction(async (tx) => {
    tx.query(SAVE, ['everywhere', 5])
    invalidate(tx, ['total'])
  })
  assert.equal(await total(), 5)
})
