import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { event } from './event.ts'
import { jsonLossOf } from './json-loss.ts'

const lossOf = (schema: z.ZodType) => jsonLossOf(event('order.placed', 1, schema, { key: () => 1 }))

test('what JSON does not keep is told by the name of its field, however deep it is', () => {
  const item = z.object({ sku: z.string(), tags: z.set(z.string()).optional() })
  const schema = z.object({
    at: z.date(),
    total: z.bigint().nullable(),
    prices: z.map(z.string(), z.int()).default(new Map()),
    lines: z.array(item),
    byDay: z.record(z.string(), z.object({ at: z.date().readonly() })),
    pair: z.tuple([z.int(), z.nan()]),
  })
  const fields = lossOf(schema).map((line) => /JSON: (\S+ is a \w+); use /.exec(line)?.[1])
  assert.deepEqual(fields, [
    'at is a date',
    'total is a bigint',
    'prices is a map',
    'lines.*.tags is a set',
    'byDay.*.at is a date',
    'pair.1 is a nan',
  ])
  assert.deepEqual(lossOf(z.date()), [
    'event order.placed v1 cannot be read back from JSON: its payload is a date; use z.iso.datetime(), or z.coerce.date()',
  ])
})

test('nothing is lost that JSON keeps, nor that its schema makes out of JSON again', () => {
  const schema = z.object({
    at: z.iso.datetime(),
    coerced: z.coerce.date(),
    either: z.union([z.iso.datetime(), z.date()]),
    piped: z.string().pipe(z.coerce.date()),
    made: z.preprocess((value) => new Date(String(value)), z.date()),
    note: z.string().optional(),
    whatever: z.unknown(),
    get parent() {
      return schema.optional()
    },
  })
  assert.deepEqual(lossOf(schema as z.ZodType), [])
  const read = schema.parse(JSON.parse(JSON.stringify({ ...schema.parse(GIVEN), parent: undefined })))
  assert.deepEqual(read, schema.parse(GIVEN))
})

const DAY = '2026-01-01T00:00:00.000Z'
const GIVEN = { at: DAY, coerced: DAY, either: DAY, piped: DAY, made: DAY, whatever: { more: [1] } }
