import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { startTestCluster, type TestCluster } from '../testing/index.ts'
import { encodeParameters } from './array-parameter.ts'

/** What the driver is given for a parameter that the statement casts so. */
const encoded = (value: unknown, cast = '') => encodeParameters(`SELECT $1${cast}`, [value])[0]

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
  assert.equal(encoded([1, -2.5, 2 ** 53 - 1]), '{1,-2.5,9007199254740991}')
  const [row] = await database.cluster.home.query<{ ints: number[]; flags: boolean[]; ids: string[]; none: string[] }>(
    'SELECT $1::bigint[] AS ints, $2::boolean[] AS flags, $3::uuid[] AS ids, $4::text[] AS none',
    [[1, 2], [true, false], ['0190b0a0-0000-7000-8000-000000000000'], []],
  )
  assert.deepEqual(row, { ints: [1, 2], flags: [true, false], ids: ['0190b0a0-0000-7000-8000-000000000000'], none: [] })
})

test('what is no flat array of plain values is left to the driver', () => {
  const nested = [[1], [2]]
  assert.equal(encoded(nested), nested)
  const dates = [new Date()]
  assert.equal(encoded(dates), dates)
  assert.equal(encoded('{a}'), '{a}')
  assert.equal(encoded(undefined), undefined)
})

test('integers, texts and ids of every size come back unchanged, in binary as in text form', async () => {
  const arrays = {
    smallint: [0, 1, -1, 32_767, -32_768, null],
    int: [0, -1, 2 ** 31 - 1, -(2 ** 31), null],
    bigint: [
      0,
      1,
      -1,
      2 ** 31,
      2 ** 32,
      -(2 ** 32),
      -(2 ** 32) - 1,
      2 ** 53 - 1,
      -(2 ** 53) + 1,
      1_795_495_679_812,
      null,
    ],
    uuid: ['0190b0a0-0000-7000-8000-0123456789ab', 'ffffffff-ffff-ffff-ffff-ffffffffffff', null],
    text: ['', 'é€😀', 'null', null],
  }
  for (const [type, values] of Object.entries(arrays)) {
    for (const array of [values, values.slice(0, 1), []]) {
      assert.ok(Buffer.isBuffer(encoded(array, `::${type}[]`)), `${type} goes in binary form`)
      const [row] = await database.cluster.home.query<{ back: unknown }>(`SELECT $1::${type}[] AS back`, [array])
      assert.deepEqual(row?.back, array, type)
    }
  }
})

test('what does not fit the type is sent as text, so that the server says what is wrong', async () => {
  const wrong: [string, unknown[], RegExp][] = [
    ['smallint', [32_768], /out of range for type smallint/],
    ['int', [1.5], /invalid input syntax for type integer: "1.5"/],
    ['bigint', ['nine'], /invalid input syntax for type bigint: "nine"/],
    ['uuid', ['x'], /invalid input syntax for type uuid: "x"/],
    ['uuid', ['0190b0a0-0000-7000-8000-0123456789ax'], /invalid input syntax for type uuid/],
    ['uuid', ['0190b0a0-0000-7000-8000-01234567890é'], /invalid input syntax for type uuid/],
    ['uuid', ['0190b0a0-0000-7000-8000-0123456789é0'], /invalid input syntax for type uuid/],
    ['uuid', ['0190b0a0-0000-7000-800000123456789ab'], /invalid input syntax for type uuid/],
  ]
  for (const [type, values, message] of wrong) {
    await assert.rejects(database.cluster.home.query(`SELECT $1::${type}[]`, [values]), { message })
  }
  const upperCase = ['0190B0A0-0000-7000-8000-0123456789AB']
  const [row] = await database.cluster.home.query<{ back: string[] }>('SELECT $1::uuid[] AS back', [upperCase])
  assert.deepEqual(row?.back, [upperCase[0]?.toLowerCase()])
})

test('only casts of the statement itself tell a type', async () => {
  const text = "SELECT $1::varchar[] AS back, '$1::uuid[]' AS quoted -- $1::int[]\n/* $1::bigint[] */"
  const [row] = await database.cluster.home.query<{ back: string[] }>(text, [['a', '1']])
  assert.deepEqual(row?.back, ['a', '1'])
})
