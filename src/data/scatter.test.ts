import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestCluster, type TestCluster } from '../testing/index.ts'

let running: TestCluster
before(async () => {
  running = await startTestCluster({ shards: 4 })
  for (const shard of running.cluster.shards) {
    await shard.query(`CREATE TABLE public.entry (id int PRIMARY KEY, amount int, name text COLLATE "C",
      at timestamptz(3), ref uuid, price numeric)`)
  }
  // The oracle: all rows once more in one table of one database.
  await running.cluster.home.query('CREATE TABLE public.every_entry (LIKE public.entry)')
})
after(() => running.stop())

/** Reproducible numbers in 0..1. Source: mulberry32, Tommy Ettinger, public domain. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const WORDS = ['', 'a', 'B', 'b', 'ab', 'Zoë', 'zoe', 'ä', '漢', '\uffee', '🙂', '🙃', null]
const COLUMNS = ['amount', 'name', 'at', 'ref'] as const

test('a scatter equals one database that holds all rows: ties, NULLs, text, timestamps, both directions', async (context) => {
  const seed = Date.now() % 1_000_000
  context.diagnostic(`seed ${seed}`)
  const random = generator(seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T
  const { cluster } = running
  for (let id = 0; id < 300; id++) {
    const hex = Math.floor(random() * 16).toString(16)
    const row = [
      id,
      pick([null, 1, 2, 3, -1, 2_000_000]),
      pick(WORDS),
      pick([null, new Date(Math.floor(random() * 5) * 1_000 + Math.floor(random() * 3))]),
      pick([null, `${hex}0000000-0000-4000-8000-00000000000${hex}`]),
    ]
    const text = (table: string) =>
      `INSERT INTO public.${table} (id, amount, name, at, ref) VALUES ($1, $2, $3, $4, $5)`
    await cluster.shards[Math.floor(random() * 4)]?.query(text('entry'), row)
    await cluster.home.query(text('every_entry'), row)
  }
  for (let round = 0; round < 60; round++) {
    const columns = COLUMNS.filter(() => random() < 0.5)
    const orderBy = [...columns, 'id'].map((column) => ({ column, direction: pick(['asc', 'desc'] as const) }))
    const order = orderBy.map(({ column, direction }) => `${column} ${direction}`).join(', ')
    const limit = 1 + Math.floor(random() * 320)
    const text = (table: string) => `SELECT * FROM public.${table} WHERE id % 3 <> $1 ORDER BY ${order} LIMIT ${limit}`
    const values = [Math.floor(random() * 4)]
    const expected = await cluster.home.query(text('every_entry'), values)
    assert.deepEqual(
      await cluster.scatter({ text: text('entry'), values, orderBy, limit }),
      expected,
      `seed ${seed}: ${order}`,
    )
  }
})

test('SQL that sorts otherwise than orderBy says is refused, never merged wrongly', async () => {
  const { cluster } = running
  for (const id of [9_001, 9_002]) {
    await cluster.home.query('INSERT INTO public.entry (id, price) VALUES ($1, $2)', [id, id === 9_001 ? 10 : 9])
  }
  const orderBy = [{ column: 'price', direction: 'asc' as const }]
  const numeric = 'SELECT price FROM public.entry WHERE price IS NOT NULL ORDER BY price LIMIT 10'
  await assert.rejects(cluster.scatter({ text: numeric, orderBy, limit: 10 }), { code: 'DATA_SCATTER_INVALID' })
  const missing = 'SELECT id FROM public.entry ORDER BY id LIMIT 10'
  await assert.rejects(cluster.scatter({ text: missing, orderBy, limit: 10 }), /no column "price"/)
  for (const limit of [0, 1_001, 1.5]) {
    await assert.rejects(cluster.scatter({ text: missing, orderBy, limit }), { code: 'DATA_SCATTER_INVALID' })
  }
})

test('a shard that fails fails the scatter by name; a wrong statement stays what it is', async () => {
  const { cluster } = running
  const orderBy = [{ column: 'id', direction: 'asc' as const }]
  const text = `SELECT 1/(CASE (SELECT shard FROM groundswell.shard_identity) WHEN 2 THEN 0 ELSE 1 END) AS id LIMIT 5`
  await assert.rejects(cluster.scatter({ text, orderBy, limit: 5 }), /shard 2 .*division by zero/)
  const lost = `SELECT pg_terminate_backend(pg_backend_pid()), 1 AS id FROM groundswell.shard_identity WHERE shard = 3`
  await assert.rejects(
    cluster.scatter({ text: lost, orderBy, limit: 5 }),
    (error: { code: string; message: string }) => {
      assert.equal(error.code, 'DATA_SCATTER_FAILED')
      assert.match(error.message, /^shard 3 /)
      return true
    },
  )
})
