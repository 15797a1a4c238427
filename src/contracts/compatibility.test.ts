import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { z } from 'zod'
import { misfits } from './compatibility.ts'
import { type JsonSchema, sentSchema } from './json-schema.ts'

const line = z.object({ sku: z.string().max(64), quantity: z.int().min(1).max(100) })
const order = z.object({ id: z.uuid(), lines: z.array(line).min(1), note: z.string().optional() })

/** What a reader of `reader` does not understand of what a writer of `writer` may send. */
function found(reader: z.ZodType, writer: z.ZodType): string[] {
  return misfits(sentSchema(reader, 'reader'), sentSchema(writer, 'writer')).map(
    ({ path, keyword, why }) => `${path} ${keyword}: ${why}`,
  )
}

const COMPATIBLE: readonly [string, z.ZodType, z.ZodType][] = [
  ['the same', order, order],
  ['an optional property more is read', order.extend({ gift: z.boolean().optional() }), order],
  ['a property with a default more is read', order.extend({ gift: z.boolean().default(false) }), order],
  ['a property more is written, and ignored', order, order.extend({ gift: z.boolean() })],
  ['a required property becomes optional for the reader', order.partial(), order],
  ['wider bounds are read', order.extend({ lines: z.array(line.extend({ quantity: z.int() })) }), order],
  ['integers are numbers', z.object({ n: z.number() }), z.object({ n: z.int() })],
  ['a value more of an enum is read', z.enum(['a', 'b', 'c']), z.enum(['a', 'b'])],
  ['an alternative more is read', z.union([z.string(), z.int(), z.null()]), z.union([z.string(), z.int()])],
  ['a listed value where any text is read', z.string().min(1), z.literal('a')],
  ['null becomes possible for the reader', z.object({ a: z.string().nullable() }), z.object({ a: z.string() })],
  ['multiples of ten are even', z.int().multipleOf(2), z.int().multipleOf(10)],
  [
    'a case more of a union is read',
    z.discriminatedUnion('by', [z.object({ by: z.literal('card') }), z.object({ by: z.literal('cash') })]),
    z.discriminatedUnion('by', [z.object({ by: z.literal('card') })]),
  ],
  ['a record of narrower values', z.record(z.string(), z.number()), z.record(z.string(), z.int())],
  [
    'a schema with a name is compared by what it is',
    z.object({ a: z.int().meta({ id: 'Count' }) }),
    z.object({ a: z.int() }),
  ],
]

for (const [what, reader, writer] of COMPATIBLE) {
  test(`is read: ${what}`, () => assert.deepEqual(found(reader, writer), []))
}

const BREAKING: readonly [string, z.ZodType, z.ZodType, RegExp][] = [
  [
    'a required property that is not written',
    order.extend({ currency: z.string() }),
    order,
    /^currency required: it is not written/,
  ],
  ['a required property that may be left out', order.required(), order, /^note required: it may be left out/],
  [
    'another type',
    order.extend({ id: z.int() }),
    order,
    /^id type: a value of type string may be written, and only integer/,
  ],
  ['a number where an integer is read', z.object({ n: z.int() }), z.object({ n: z.number() }), /^n type/],
  [
    'a narrower bound, deep inside',
    order.extend({ lines: z.array(line.extend({ quantity: z.int().min(2) })) }),
    order,
    /^lines\[\]\.quantity minimum: minimum of what is read is 2, and 1 may be written/,
  ],
  [
    'an open bound before a closed one',
    z.number().gt(1),
    z.number().min(1),
    /exclusiveMinimum: .* 1, and 1 may be written/,
  ],
  ['a bound where there was none', z.string().max(9), z.string(), /maxLength: .* has no such bound/],
  ['more items than are read', z.array(z.int()).max(2), z.array(z.int()).max(3), /maxItems/],
  ['a value less of an enum', z.enum(['a', 'b']), z.enum(['a', 'b', 'c']), /enum: "c" may be written, and is not read/],
  ['any text where an enum is read', z.enum(['a']), z.string(), /enum: only "a" is read/],
  ['an alternative less', z.string(), z.union([z.string(), z.int()]), /type: a value of type integer/],
  [
    'null where none is read',
    z.object({ a: z.string() }),
    z.object({ a: z.string().nullable() }),
    /^a type: a value of type null/,
  ],
  ['another pattern', z.string().regex(/^a/), z.string().regex(/^b/), /pattern/],
  ['another format', z.email(), z.uuid(), /format/],
  [
    'a property more for a closed reader',
    z.strictObject({ a: z.int() }),
    z.object({ a: z.int(), b: z.int() }),
    /^b false: nothing is read here/,
  ],
  ['wider values of a record', z.record(z.string(), z.int()), z.record(z.string(), z.number()), /^\* type/],
  ['a longer tuple', z.tuple([z.int()]), z.tuple([z.int(), z.int()]), /maxItems/],
  [
    'something where anything may come',
    z.object({ a: z.string() }),
    z.object({ a: z.unknown() }),
    /^a required|anything may be written/,
  ],
  ['odd numbers', z.int().multipleOf(2), z.int(), /multipleOf/],
]

for (const [what, reader, writer, expected] of BREAKING) {
  test(`is not read: ${what}`, () => {
    const misfit = found(reader, writer)
    assert.ok(misfit.length > 0, 'nothing was found')
    assert.match(misfit.join('\n'), expected)
  })
}

test('whatever is found to fit, no payload of the writer is refused by the reader', (t) => {
  const seed = Date.now() % 1_000_000
  t.diagnostic(`seed ${seed}`)
  const random = randomFrom(seed)
  let fits = 0
  for (let round = 0; round < 400; round++) {
    const writer = randomSchema(random, 3)
    const reader = random() < 0.7 ? loosened(writer, random) : randomSchema(random, 3)
    if (misfits(reader, writer).length > 0) continue
    fits++
    const isRead = new Ajv2020({ strict: false }).compile(reader)
    for (let sample = 0; sample < 6; sample++) {
      const payload = randomPayload(writer, random)
      assert.ok(isRead(payload), `${JSON.stringify({ reader, writer, payload })} is refused`)
    }
  }
  assert.ok(fits > 50, `only ${fits} pairs fitted`)
})

type Random = () => number

function randomFrom(seed: number): Random {
  let state = seed + 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)] as T
}

function randomSchema(random: Random, depth: number): JsonSchema {
  const least = Math.floor(random() * 4)
  const kinds: readonly (() => JsonSchema)[] = [
    () => ({ type: 'integer', minimum: least, maximum: least + Math.floor(random() * 5) }),
    () => ({ type: 'string', minLength: least, maxLength: least + 3 }),
    () => ({ type: 'string', enum: ['a', 'b', 'c'].slice(0, 1 + least) }),
    () => ({ type: 'boolean' }),
    () => ({ type: ['string', 'null'] }),
    () => ({ type: 'array', items: randomSchema(random, depth - 1), minItems: 0, maxItems: 1 + least }),
    () => ({ anyOf: [randomSchema(random, depth - 1), randomSchema(random, depth - 1)] }),
    () => randomObject(random, depth - 1),
  ]
  return depth === 0 ? pick(random, kinds.slice(0, 5))() : pick(random, kinds)()
}

function randomObject(random: Random, depth: number): JsonSchema {
  const names = ['p', 'q', 'r'].filter(() => random() < 0.7)
  const properties = Object.fromEntries(names.map((name) => [name, randomSchema(random, depth)]))
  const closed = random() < 0.3 ? { additionalProperties: false } : {}
  return { type: 'object', properties, required: names.filter(() => random() < 0.6), ...closed }
}

const STEPS: Readonly<Record<string, readonly number[]>> = { min: [-1, 0, 0], max: [1, 0, 0, -1] }

/** A schema that mostly accepts more, and sometimes less. */
function loosened(schema: JsonSchema, random: Random): JsonSchema {
  const copy: Record<string, unknown> = { ...schema }
  for (const [keyword, value] of Object.entries(schema)) {
    if (typeof value === 'number') copy[keyword] = Math.max(0, value + pick(random, STEPS[keyword.slice(0, 3)] ?? []))
    if (keyword === 'required') copy.required = (value as string[]).filter(() => random() < 0.8)
    if (keyword === 'items') copy.items = loosened(value as JsonSchema, random)
    if (keyword === 'properties') {
      const entries = Object.entries(value as Record<string, JsonSchema>)
      copy.properties = Object.fromEntries(entries.map(([name, one]) => [name, loosened(one, random)]))
    }
  }
  return random() < 0.1 ? { anyOf: [copy, randomSchema(random, 1)] } : copy
}

/** A payload that a writer of this schema may send: it holds declared properties only. */
function randomPayload(schema: JsonSchema, random: Random): unknown {
  if (Array.isArray(schema.anyOf)) return randomPayload(pick(random, schema.anyOf) as JsonSchema, random)
  if (Array.isArray(schema.enum)) return pick(random, schema.enum)
  const type = Array.isArray(schema.type) ? pick(random, schema.type) : schema.type
  const between = (min: unknown, max: unknown) => {
    const [low, high] = [Number(min ?? 0), Number(max ?? 5)]
    return pick(random, [low, high, low + Math.floor(random() * (high - low + 1))])
  }
  if (type === 'integer') return between(schema.minimum, schema.maximum)
  if (type === 'string') return 'x'.repeat(between(schema.minLength, schema.maxLength))
  if (type === 'boolean') return random() < 0.5
  if (type === 'null') return null
  if (type === 'array') {
    const length = between(schema.minItems, schema.maxItems)
    return Array.from({ length }, () => randomPayload(schema.items as JsonSchema, random))
  }
  const entries = Object.entries(schema.properties as Record<string, JsonSchema>)
  const required = schema.required as string[]
  return Object.fromEntries(
    entries
      .filter(([name]) => required.includes(name) || random() < 0.5)
      .map(([name, one]) => [name, randomPayload(one, random)]),
  )
}
