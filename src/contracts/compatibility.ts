import { isDeepStrictEqual } from 'node:util'
import { Ajv2020 } from 'ajv/dist/2020.js'
import type { JsonSchema } from './json-schema.ts'

/** Where a reader does not understand what a writer may send. */
export type Misfit = {
  /** Place in the payload, e.g. `lines[].quantity`; empty for the payload itself. */
  readonly path: string
  /** The keyword of JSON Schema that tells. */
  readonly keyword: string
  readonly why: string
}

/**
 * Whether a reader accepts all that a writer may send: every payload that is valid by `writer` is valid by `reader`.
 * Properties that a writer does not name are never sent, and those that a reader does not name are ignored, unless its
 * schema is closed. What cannot be decided, such as two regular expressions, counts as a misfit: a check that lets
 * something through must be right. Source: the compatibility rules of Confluent's schema registry for JSON Schema,
 * with objects that are written as declared.
 */
export function misfits(reader: unknown, writer: unknown, path = ''): readonly Misfit[] {
  const [reads, writes] = [schemaOf(reader), schemaOf(writer)]
  if (writes === false) return []
  if (reads === false) return [{ path, keyword: 'false', why: 'nothing is read here, but something is written' }]
  if (isDeepStrictEqual(reads, writes)) return []
  const alternatives = alternativesOf(writes)
  if (alternatives !== undefined) return alternatives.flatMap((one) => misfits(reads, one, path))
  const choices = choicesOf(reads)
  if (choices !== undefined) return noneFits(choices, writes, path)
  const sent = valuesOf(writes)
  if (sent !== undefined) return refusedValues(reads, sent, path)
  const otherType = types(reads, writes, path)
  if (otherType.length > 0) return otherType
  return RULES.flatMap(({ of, rule }) => (concerns(of, writes.type) ? rule(reads, writes, path) : []))
}

type Rule = (reader: JsonSchema, writer: JsonSchema, path: string) => readonly Misfit[]

/** What is compared, and for values of which type; of any where there is none. */
const RULES: readonly { readonly of?: string; readonly rule: Rule }[] = [
  { rule: values },
  { of: 'number', rule: numbers },
  { of: 'string', rule: texts },
  { of: 'object', rule: objects },
  { of: 'array', rule: arrays },
  { rule: strangers },
]

/** Whether values of this type may be written. */
function concerns(of: string | undefined, written: unknown): boolean {
  return of === undefined || written === undefined || written === of || (written === 'integer' && of === 'number')
}

function schemaOf(schema: unknown): JsonSchema | false {
  if (schema === false) return false
  return typeof schema === 'object' && schema !== null ? (schema as JsonSchema) : {}
}

/** The schemas of which a writer follows one, whichever it likes. */
function alternativesOf(writer: JsonSchema): readonly JsonSchema[] | undefined {
  const { anyOf, oneOf, type, ...rest } = writer
  const list = anyOf ?? oneOf
  if (Array.isArray(list)) return list.map((one) => ({ ...rest, ...one }))
  return Array.isArray(type) ? type.map((one) => ({ ...rest, type: one })) : undefined
}

/** The schemas of which a reader accepts any. Those of a `oneOf` are told apart by a property, so that one fits. */
function choicesOf(reader: JsonSchema): readonly JsonSchema[] | undefined {
  const { anyOf, oneOf, ...rest } = reader
  const list = anyOf ?? oneOf
  return Array.isArray(list) ? list.map((one) => ({ ...rest, ...one })) : undefined
}

function noneFits(choices: readonly JsonSchema[], writer: JsonSchema, path: string): readonly Misfit[] {
  const found = choices.map((choice) => misfits(choice, writer, path))
  if (found.some((each) => each.length === 0)) return []
  const nearest = found.toSorted((a, b) => a.length - b.length)[0]?.[0]
  const why = `none of ${choices.length} alternatives is wide enough: ${nearest?.why ?? 'there are none'}`
  return [{ path: nearest?.path ?? path, keyword: 'anyOf', why }]
}

/** The only values that are sent, when the schema lists them. */
function valuesOf(writer: JsonSchema): readonly unknown[] | undefined {
  if ('const' in writer) return [writer.const]
  return Array.isArray(writer.enum) ? writer.enum : undefined
}

function refusedValues(reader: JsonSchema, sent: readonly unknown[], path: string): readonly Misfit[] {
  const isRead = new Ajv2020({ strict: false, validateFormats: false }).compile(reader)
  const refused = sent.filter((value) => !isRead(value)).map((value) => JSON.stringify(value))
  if (refused.length === 0) return []
  return [{ path, keyword: 'enum', why: `${refused.join(', ')} may be written, and is not read` }]
}

function types(reader: JsonSchema, writer: JsonSchema, path: string): readonly Misfit[] {
  if (reader.type === undefined) return []
  const wanted: readonly unknown[] = Array.isArray(reader.type) ? reader.type : [reader.type]
  const fits = wanted.includes(writer.type) || (writer.type === 'integer' && wanted.includes('number'))
  if (fits) return []
  const written = writer.type === undefined ? 'anything' : `a value of type ${String(writer.type)}`
  return [{ path, keyword: 'type', why: `${written} may be written, and only ${wanted.join(' or ')} is read` }]
}

/** A reader that lists values, before a writer that does not. */
function values(reader: JsonSchema, _writer: JsonSchema, path: string): readonly Misfit[] {
  const read = valuesOf(reader)
  if (read === undefined) return []
  const list = read.map((value) => JSON.stringify(value)).join(', ')
  return [{ path, keyword: 'enum', why: `only ${list} is read, and other values may be written` }]
}

type Counted = { readonly path: string; readonly things: 'Length' | 'Items' | 'Properties' }

/** How much there may be of something. */
function counts(reader: JsonSchema, writer: JsonSchema, { path, things }: Counted): readonly Misfit[] {
  const sides = [
    { keyword: `min${things}`, side: -1, none: 0 },
    { keyword: `max${things}`, side: 1, none: Number.POSITIVE_INFINITY },
  ]
  return sides.flatMap(({ keyword, side, none }) => {
    const [read, written] = [reader[keyword], writer[keyword] ?? none]
    if (typeof read !== 'number' || typeof written !== 'number' || side * (written - read) <= 0) return []
    return [outOfBounds({ path, keyword, read, written })]
  })
}

/** What may be written up to, or down to, and whether the end itself may be. */
type End = { readonly at: number; readonly open: boolean }

function numbers(reader: JsonSchema, writer: JsonSchema, path: string): readonly Misfit[] {
  const sides = [
    { side: -1, closed: 'minimum', open: 'exclusiveMinimum' },
    { side: 1, closed: 'maximum', open: 'exclusiveMaximum' },
  ]
  const bounds = sides.flatMap(({ side, closed, open }) => {
    const [read, written] = [endOf(reader, { side, closed, open }), endOf(writer, { side, closed, open })]
    const beyond = side * (written.at - read.at)
    const isBeyond = beyond > 0 || (beyond === 0 && read.open && !written.open)
    return isBeyond
      ? [outOfBounds({ path, keyword: read.open ? open : closed, read: read.at, written: written.at })]
      : []
  })
  const step = reader.multipleOf
  if (typeof step !== 'number') return bounds
  if (typeof writer.multipleOf === 'number' && writer.multipleOf % step === 0) return bounds
  return [
    ...bounds,
    { path, keyword: 'multipleOf', why: `only multiples of ${step} are read, and others may be written` },
  ]
}

type Side = { readonly side: number; readonly closed: string; readonly open: string }

function endOf(schema: JsonSchema, { side, closed, open }: Side): End {
  const none = { at: side * Number.POSITIVE_INFINITY, open: false }
  const ends = [
    typeof schema[closed] === 'number' ? { at: schema[closed], open: false } : none,
    typeof schema[open] === 'number' ? { at: schema[open], open: true } : none,
  ]
  return ends.reduce((tightest, end) => (side * (end.at - tightest.at) < 0 ? end : tightest))
}

type Excess = { readonly path: string; readonly keyword: string; readonly read: number; readonly written: number }

function outOfBounds({ path, keyword, read, written }: Excess): Misfit {
  const how = Number.isFinite(written) ? `${written} may be written` : 'what is written has no such bound'
  return { path, keyword, why: `${keyword} of what is read is ${read}, and ${how}` }
}

function texts(reader: JsonSchema, writer: JsonSchema, path: string): readonly Misfit[] {
  const different = ['pattern', 'format'].flatMap((keyword) => {
    const read = reader[keyword]
    if (read === undefined || read === writer[keyword]) return []
    const written = writer[keyword] === undefined ? 'any text' : `text by ${String(writer[keyword])}`
    return [{ path, keyword, why: `only text by ${String(read)} is read, and ${written} may be written` }]
  })
  return [...counts(reader, writer, { path, things: 'Length' }), ...different]
}

function objects(reader: JsonSchema, writer: JsonSchema, path: string): readonly Misfit[] {
  const [read, written] = [propertiesOf(reader), propertiesOf(writer)]
  const always = new Set(Array.isArray(writer.required) ? writer.required : [])
  const required: readonly unknown[] = Array.isArray(reader.required) ? reader.required : []
  const missing = required
    .filter((name) => !always.has(name))
    .map((name): Misfit => {
      const why = String(name) in written ? 'it may be left out, and is required' : 'it is not written, and is required'
      return { path: join(path, String(name)), keyword: 'required', why }
    })
  const both = Object.entries(written).flatMap(([name, schema]) => {
    return misfits(read[name] ?? reader.additionalProperties, schema, join(path, name))
  })
  return [
    ...counts(reader, writer, { path, things: 'Properties' }),
    ...missing,
    ...both,
    ...otherProperties(reader, writer, path),
  ]
}

/** Properties that the writer makes up: only if its schema says so. */
function otherProperties(reader: JsonSchema, writer: JsonSchema, path: string): readonly Misfit[] {
  const names =
    reader.propertyNames === undefined ? [] : misfits(reader.propertyNames, writer.propertyNames, join(path, '*'))
  if (writer.additionalProperties === undefined || writer.additionalProperties === false) return names
  const open = Object.entries(propertiesOf(reader)).flatMap(([name, schema]) => {
    return name in propertiesOf(writer) ? [] : misfits(schema, writer.additionalProperties, join(path, name))
  })
  return [...names, ...open, ...misfits(reader.additionalProperties, writer.additionalProperties, join(path, '*'))]
}

function arrays(reader: JsonSchema, writer: JsonSchema, path: string): readonly Misfit[] {
  const [read, written] = [prefixOf(reader), prefixOf(writer)]
  const prefix = Array.from({ length: Math.max(read.length, written.length) }, (_, index) => {
    const place = `${path}[${index}]`
    return misfits(read[index] ?? reader.items, written[index] ?? writer.items ?? true, place)
  }).flat()
  const unique = reader.uniqueItems === true && writer.uniqueItems !== true
  const repeated = { path, keyword: 'uniqueItems', why: 'an item may be written twice, and is read once only' }
  const rest = reader.items === undefined ? [] : misfits(reader.items, writer.items ?? true, `${path}[]`)
  return [...counts(reader, writer, { path, things: 'Items' }), ...prefix, ...rest, ...(unique ? [repeated] : [])]
}

/** Keywords that were compared above, or that say nothing about what is valid. */
const KNOWN = new Set([
  ...['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties'],
  ...['type', 'const', 'enum', 'minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum', 'multipleOf'],
  ...['pattern', 'format', 'properties', 'required', 'additionalProperties', 'propertyNames'],
  ...['items', 'prefixItems', 'uniqueItems', 'anyOf', 'oneOf'],
  ...['$id', '$schema', '$comment', 'id', 'title', 'description', 'default', 'examples', 'deprecated', 'readOnly'],
])

/** Anything else is understood by nobody here: it must not change. */
function strangers(reader: JsonSchema, writer: JsonSchema, path: string): readonly Misfit[] {
  return Object.keys(reader)
    .filter((keyword) => !KNOWN.has(keyword) && !isDeepStrictEqual(reader[keyword], writer[keyword]))
    .map((keyword) => ({ path, keyword, why: `${keyword} is not the same, and cannot be compared` }))
}

function propertiesOf(schema: JsonSchema): JsonSchema {
  return (schema.properties ?? {}) as JsonSchema
}

function prefixOf(schema: JsonSchema): readonly unknown[] {
  return Array.isArray(schema.prefixItems) ? schema.prefixItems : []
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}
