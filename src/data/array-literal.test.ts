import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestCluster, type TestCluster } from '../testing/index.ts'
import { encodeParameter } from './array-literal.ts'

let database: TestCluster
before(async () => {
  database = await startTestCluster({ shards: 1 })
})
after(() => database.stop())

test('an array reaches PostgreSQL and comes back unchanged, whatever its texts hold', async () => {
  const texts = [
    'a',
    '',
    'null',
    'NULL',
    'nullify',
    null,
    '{',
    '}',
    ',',
    '"',
    '\\',
    '\\"',
    ' ',
    ' a',
    'a b',
    '\n',
    '\t',
    'é',
    '€',
    '😀',
    "'",
  ]
  const mixed = [
    ...texts,
    ...texts.map((text) => `${text}${text}`),
    '[{"sku":"a","quantity":1}]',
    '\v',
    '\u00a0',
    '\u2003x',
  ]
  const [row] = await database.cluster.home.query<{ back: (string | null)[] }>('SELECT $1::text[] AS back', [mixed])
  assert.deepEqual(row?.back, mixed)
})

test('numbers, booleans and ids need no quotes', async () => {
  assert.equal(encodeParameter([1, -2.5, 2 ** 53 - 1]), '{1,-2.5,9007199254740991}')
  const [row] = await database.cluster.home.query<{ ints: number[]; flags: boolean[]; ids: string[]; none: string[] }>(
    'SELECT $1::bigint[] AS ints, $2::boolean[] AS flags, $3::uuid[] AS ids, $4::text[] AS none',
    [[1, 2], [true, false], ['0190b0a0-0000-7000-8000-000000000000'], []],
  )
  assert.deepEqual(row, { ints: [1, 2], flags: [true, false], ids: ['0190b0a0-0000-7000-8000-000000000000'], none: [] })
})

test('what is no flat array of plain values is left to the driver', () => {
  const nested = [[1], [2]]
  assert.equal(encodeParameter(nested), nested)
  const dates = [new Date()]
  assert.equal(encodeParameter(dates), dates)
  assert.equal(encodeParameter('{a}'), '{a}')
  assert.equal(encodeParameter(undefined), undefined)
})
