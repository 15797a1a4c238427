import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { after, before, test } from 'node:test'
import { startTestCluster, type TestCluster } from '../testing/index.ts'
import { bucketDirectoryStriped, bucketOf } from './bucket.ts'

let running: TestCluster
before(async () => {
  running = await startTestCluster({ shards: 4 })
})
after(() => running.stop())

const ALPHABET = [...'abcXYZ019 -_@.äß漢字🙂\u0001\uffff']

function randomText(): string {
  return Array.from({ length: randomInt(0, 24) }, () => ALPHABET[randomInt(0, ALPHABET.length)]).join('')
}

test('SQL and TypeScript put 10,000 random integers into the same buckets', async () => {
  const keys = Array.from({ length: 10_000 }, (_, index) => (index < 5_040 ? index : randomInt(0, 2 ** 47) * 17))
  const rows = await running.cluster.home.query<{ bucket: number }>(
    'SELECT groundswell.bucket_of(key) AS bucket FROM unnest($1::bigint[]) WITH ORDINALITY AS given(key, n) ORDER BY n',
    [keys],
  )
  assert.deepEqual(
    rows.map((row) => row.bucket),
    keys.map((key) => bucketOf(key)),
  )
})

test('SQL and TypeScript put 10,000 random texts into the same buckets, about as many into each', async () => {
  const keys = Array.from({ length: 10_000 }, randomText)
  const rows = await running.cluster.home.query<{ bucket: number }>(
    'SELECT groundswell.bucket_of(key) AS bucket FROM unnest($1::text[]) WITH ORDINALITY AS given(key, n) ORDER BY n',
    [keys],
  )
  const buckets = keys.map((key) => bucketOf(key))
  assert.deepEqual(
    rows.map((row) => row.bucket),
    buckets,
  )
  const perShard = [0, 0, 0, 0]
  for (const bucket of [...new Set(keys)].map(bucketOf)) perShard[bucket % 4] = (perShard[bucket % 4] ?? 0) + 1
  const mean = new Set(keys).size / 4
  for (const count of perShard) assert.ok(Math.abs(count - mean) < mean * 0.15, `${perShard}`)
})

test('users 12345 and 54321 are stored on shard 1 of 4 and nowhere else, as each database says', async () => {
  const { cluster } = running
  for (const shard of cluster.shards) {
    await shard.query(
      'CREATE TABLE public.user_row (bucket smallint NOT NULL, user_id bigint, PRIMARY KEY (bucket, user_id))',
    )
    await shard.query(`SELECT groundswell.guard_table('public.user_row')`)
  }
  for (const userId of [12_345, 54_321]) {
    assert.equal(cluster.locate(userId).shard, userId % 4)
    const { bucket } = cluster.locate(userId)
    await cluster.forKey(userId).query('INSERT INTO public.user_row VALUES ($1, $2)', [bucket, userId])
  }
  const found = await Promise.all(
    cluster.shards.map((shard) =>
      shard.query<{ user_id: number }>('SELECT user_id FROM public.user_row ORDER BY user_id'),
    ),
  )
  assert.deepEqual(found, [[], [{ user_id: 12_345 }, { user_id: 54_321 }], [], []])
})

test('keys that have no bucket are refused', () => {
  for (const key of [-1, 1.5, Number.NaN, 2 ** 53]) assert.throws(() => bucketOf(key), { code: 'DATA_KEY_INVALID' })
})

test('a striped directory is the bucket modulo the number of shards', () => {
  const directory = bucketDirectoryStriped(4)
  assert.equal(directory.length, 5_040)
  for (const userId of [0, 12_345, 54_321, 2 ** 40 + 3]) assert.equal(directory[bucketOf(userId)], userId % 4)
})
