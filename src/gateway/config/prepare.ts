import { randomBytes, randomUUID } from 'node:crypto'
import { systemClock } from '../../core/index.ts'
import { type FieldErrors, schemaViolation } from './api-error.ts'
import { type Catalog, fieldsOf } from './catalog.ts'
import type { Entity } from './entities.ts'
import type { EntitySchema, Field, NamedField, ShorthandField } from './schema.ts'
import { errorsOf } from './validate.ts'
import { isRecord, valueAt } from './values.ts'

/**
 * From what a client sends to what is stored, and back: shorthands, defaults, merging, validation. Pure but for new
 * ids.
 */
type Values = Readonly<Record<string, unknown>>
type Shorthands = readonly Readonly<Record<string, ShorthandField>>[]
type Container = { readonly fields?: readonly NamedField[]; readonly shorthand_fields?: Shorthands }

const KEY_LENGTH = 32

/** A complete, valid entity for insertion or full replacement. Throws an `ApiError` (schema violation). */
export function prepareInsert(catalog: Catalog, schema: EntitySchema, input: Values): Entity {
  assertSubschema(catalog, schema, input)
  const rules = catalog.rulesOf(schema, input)
  const expanded = expand({ ...schema, fields: rules.fields }, input)
  const entity = complete(rules.fields, expanded, nowInSeconds())
  const errors = errorsOf(rules, entity)
  if (errors !== undefined) throw schemaViolation(errors)
  return asStored(rules.fields, { ...entity, ...schema.derive?.(entity) })
}

/** The current entity with the fields that `input` names changed: records merge, lists are replaced, null resets. */
export function prepareUpdate(
  catalog: Catalog,
  schema: EntitySchema,
  change: { current: Entity; input: Values },
): Entity {
  const { current, input } = change
  const name = schema.subschema_key
  if (name !== undefined) assertSubschema(catalog, schema, { [name]: current[name], ...pick(input, name) })
  const rules = catalog.rulesOf(schema, { ...current, ...input })
  const expanded = expand({ ...schema, fields: rules.fields }, input)
  const merged = merge(rules.fields, expanded, current)
  const stamped = 'updated_at' in current ? { ...merged, updated_at: null } : merged
  const entity = complete(rules.fields, { ...stamped, id: current.id }, nowInSeconds())
  const errors = errorsOf(rules, entity, true)
  if (errors !== undefined) throw schemaViolation(errors)
  return asStored(rules.fields, { ...entity, ...schema.derive?.(entity) })
}

/** As clients see it: old names of fields echo the new ones. */
export function present(catalog: Catalog, schema: EntitySchema, entity: Entity): Entity {
  return echo({ ...schema, fields: catalog.rulesOf(schema, entity).fields }, entity)
}

function asStored(fields: readonly NamedField[], entity: Record<string, unknown>): Entity {
  for (const [name, { stored }] of fieldsOf(fields)) {
    const value = entity[name]
    if (stored !== undefined && typeof value === 'string') entity[name] = stored(value)
  }
  return entity
}

function assertSubschema(catalog: Catalog, schema: EntitySchema, input: Values): void {
  const key = schema.subschema_key
  if (key === undefined) return
  const value = input[key]
  if (value === undefined || value === null) throw schemaViolation({ [key]: 'required field missing' })
  if (typeof value !== 'string') throw schemaViolation({ [key]: 'expected a string' })
  if (catalog.plugins.has(value)) return
  throw schemaViolation({ [key]: (schema.subschema_error ?? 'unknown type: %s').replace('%s', () => value) })
}

/** Replaces shorthands by what they stand for; a field given by its own name wins over its old name. */
function expand(container: Container, input: Values): Values {
  const shorthands = new Map((container.shorthand_fields ?? []).flatMap((entry) => Object.entries(entry)))
  const output: Record<string, unknown> = {}
  const errors: FieldErrors = {}
  for (const [name, value] of Object.entries(input)) {
    const shorthand = shorthands.get(name)
    if (shorthand === undefined) define(output, name, value)
    else if (value !== null) apply({ name, shorthand, value }, output, errors)
    else if (hasField(container, name)) output[name] = null
  }
  for (const [name, shorthand] of shorthands) {
    const path = pathOf(shorthand)
    if (path !== undefined && name in input && input[name] !== undefined) fillIn(output, path, input[name])
  }
  if (Object.keys(errors).length > 0) throw schemaViolation(errors)
  for (const [name, field] of fieldsOf(container.fields ?? [])) {
    const value = output[name]
    if (field.type === 'record' && isRecord(value)) output[name] = expand(field, value)
  }
  return output
}

type ShorthandUse = { readonly name: string; readonly shorthand: ShorthandField; readonly value: unknown }

function apply({ name, shorthand, value }: ShorthandUse, output: Record<string, unknown>, errors: FieldErrors): void {
  if (shorthand.expand === undefined) return
  const parts = typeof value === 'string' ? shorthand.expand(value) : 'expected a string'
  if (typeof parts === 'string') errors[name] = parts
  else Object.assign(output, parts)
}

/** Sets the value at `path` unless something is there. */
function fillIn(output: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first, ...rest] = path
  if (first === undefined) return
  if (rest.length === 0) {
    output[first] ??= value
    return
  }
  const inner = output[first]
  if (inner !== undefined && inner !== null && !isRecord(inner)) return
  const copy = { ...inner }
  fillIn(copy, rest, value)
  output[first] = copy
}

/**
 * Fills in ids, times, random keys and defaults; null stands for unset, and goes back to the default where there is
 * one.
 */
function complete(fields: readonly NamedField[], input: Values, now: number): Record<string, unknown> {
  const output: Record<string, unknown> = { ...input }
  for (const [name, field] of fieldsOf(fields)) output[name] = completed(field, input[name], now)
  return output
}

function completed(field: Field, value: unknown, now: number): unknown {
  const missing = value === undefined || value === null
  if (missing && field.auto) return automatic(field, now)
  if (field.type === 'record' && (isRecord(value) || (missing && field.required && field.default === undefined))) {
    return complete(field.fields ?? [], isRecord(value) ? value : {}, now)
  }
  if (missing) return field.default === undefined ? null : structuredClone(field.default)
  if (field.normalise !== undefined && typeof value === 'string') return field.normalise(value)
  if (!Array.isArray(value)) return value
  const items = value.map((item) => (field.elements?.type === 'record' ? completed(field.elements, item, now) : item))
  return field.type === 'set' ? [...new Set(items)] : items
}

function automatic(field: Field, now: number): unknown {
  if (field.uuid) return randomUUID()
  if (!field.timestamp) return randomKey()
  return field.type === 'integer' ? Math.floor(now) : now
}

/** 32 characters of [a-zA-Z0-9], about 190 bits. */
export function randomKey(): string {
  let key = ''
  while (key.length < KEY_LENGTH)
    key += randomBytes(KEY_LENGTH)
      .toString('base64')
      .replace(/[^a-zA-Z0-9]/g, '')
  return key.slice(0, KEY_LENGTH)
}

function merge(fields: readonly NamedField[], top: Values, bottom: Values): Record<string, unknown> {
  const output: Record<string, unknown> = { ...bottom, ...top }
  for (const [name, field] of fieldsOf(fields)) {
    const [upper, lower] = [top[name], bottom[name]]
    if (upper === undefined) output[name] = lower
    else if (field.type === 'record' && isRecord(upper) && isRecord(lower)) {
      output[name] = merge(field.fields ?? [], upper, lower)
    }
  }
  return output
}

function echo(container: Container, entity: Values): Values {
  const output: Record<string, unknown> = { ...entity }
  for (const [name, field] of fieldsOf(container.fields ?? [])) {
    const value = entity[name]
    if (field.type === 'record' && isRecord(value)) output[name] = echo(field, value)
  }
  for (const [name, shorthand] of (container.shorthand_fields ?? []).flatMap((entry) => Object.entries(entry))) {
    const path = pathOf(shorthand)
    if (path !== undefined) output[name] = valueAt(output, path) ?? null
  }
  return output
}

const hasField = (container: Container, name: string) => container.fields?.some((entry) => name in entry) === true

const pathOf = (shorthand: ShorthandField) => shorthand.deprecation?.replaced_with[0]?.path

/** With milliseconds; most kinds keep whole seconds. */
const nowInSeconds = () => systemClock.now() / 1000

function pick(input: Values, name: string): Values {
  return input[name] === undefined ? {} : { [name]: input[name] }
}

/** Sets an own property whatever its name, `__proto__` too, so that it is seen and refused as an unknown field. */
function define(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true })
}
