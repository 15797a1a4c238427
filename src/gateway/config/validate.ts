import type { FieldError, FieldErrors } from './api-error.ts'
import { runEntityChecks } from './entity-checks.ts'
import type { EntityCheck, Field, NamedField } from './schema.ts'
import { isRecord, isUuid } from './values.ts'

/** Field by field against a schema, with Kong's messages. Everything that is wrong is reported at once. */
export type Rules = {
  readonly fields: readonly NamedField[]
  readonly entity_checks?: readonly EntityCheck[]
}

/**
 * What is wrong with a complete entity (defaults filled in), or undefined. `updating` words some messages for PATCH.
 */
export function errorsOf(
  rules: Rules,
  entity: Readonly<Record<string, unknown>>,
  updating = false,
): FieldErrors | undefined {
  const known = new Map(rules.fields.flatMap((entry) => Object.entries(entry)))
  const found = new Map<string, FieldError>()
  for (const [name, field] of known) {
    const error = errorOf(field, entity[name])
    if (error !== undefined) found.set(name, error)
  }
  for (const name of Object.keys(entity)) if (!known.has(name)) found.set(name, 'unknown field')
  // fromEntries defines own properties, so that a field called __proto__ is an unknown field and nothing else.
  const errors: FieldErrors = Object.fromEntries(found)
  runEntityChecks({ checks: rules.entity_checks ?? [], known, entity, updating, errorOf }, errors)
  return Object.keys(errors).length > 0 ? errors : undefined
}

/** What is wrong with one value, or undefined. */
export function errorOf(field: Field, value: unknown): FieldError | undefined {
  if (value === null || value === undefined) return nullError(field)
  return typeError(field, value) ?? constraintError(field, value)
}

function nullError(field: Field): string | undefined {
  if (field.ne === null) return 'value must not be null'
  if (field.eq !== undefined && field.eq !== null) return `value must be ${String(field.eq)}`
  return field.required && !field.auto ? 'required field missing' : undefined
}

function typeError(field: Field, value: unknown): FieldError | undefined {
  switch (field.type) {
    case 'string':
      return typeof value === 'string' ? textError(value) : 'expected a string'
    case 'number':
      return Number.isFinite(value) ? undefined : 'expected a number'
    case 'integer':
      return Number.isInteger(value) ? undefined : 'expected an integer'
    case 'boolean':
      return typeof value === 'boolean' ? undefined : 'expected a boolean'
    case 'array':
    case 'set':
      return Array.isArray(value)
        ? itemErrors(field, value)
        : `expected a${field.type === 'array' ? 'n array' : ' set'}`
    case 'map':
      return isRecord(value) ? mapError(field, value) : 'expected a map'
    case 'record':
      return isRecord(value) ? recordErrors(field, value) : 'expected a record'
    case 'foreign':
      return foreignError(value)
    default:
      return undefined
  }
}

/** What PostgreSQL cannot keep as text is refused here. */
function textError(value: string): string | undefined {
  return value.includes('\0') || !value.isWellFormed() ? 'must be valid unicode text without NUL' : undefined
}

function itemErrors(field: Field, values: readonly unknown[]): FieldError | undefined {
  const elements: Field = { ...(field.elements ?? { type: 'json' }), required: true }
  const errors = values.map((value) => errorOf(elements, value) ?? null)
  const last = errors.findLastIndex((error) => error !== null)
  return last < 0 ? undefined : (errors.slice(0, last + 1) as FieldError)
}

function mapError(field: Field, value: Record<string, unknown>): FieldError | undefined {
  for (const [key, item] of Object.entries(value)) {
    const error = field.keys && errorOf(field.keys, key)
    const inner = error ?? (field.values && errorOf({ ...field.values, required: true }, item))
    if (inner !== undefined) return inner
  }
  return undefined
}

function recordErrors(field: Field, value: Record<string, unknown>): FieldError | undefined {
  if (field.abstract) return undefined
  return errorsOf({ fields: field.fields ?? [], entity_checks: field.entity_checks ?? [] }, value)
}

function foreignError(value: unknown): FieldError | undefined {
  const id = isRecord(value) ? value.id : undefined
  if (id === undefined || id === null) return { id: 'missing primary key' }
  if (typeof id !== 'string') return { id: 'expected a string' }
  return isUuid(id) ? undefined : { id: 'expected a valid UUID' }
}

type Check = (field: Field, value: unknown) => string | undefined

/** In Kong's order: the first that fails is the message. */
const CONSTRAINTS: readonly Check[] = [
  (field, value) => (field.eq === undefined || value === field.eq ? undefined : `value must be ${String(field.eq)}`),
  (field, value) => (field.ne === undefined || value !== field.ne ? undefined : `value must not be ${String(value)}`),
  (field, value) =>
    field.one_of && !field.one_of.includes(value as string) ? `expected one of: ${field.one_of.join(', ')}` : undefined,
  (field, value) =>
    field.not_one_of?.includes(value as string) ? `must not be one of: ${field.not_one_of.join(', ')}` : undefined,
  (field, value) =>
    field.gt !== undefined && (value as number) <= field.gt ? `value must be greater than ${field.gt}` : undefined,
  (field, value) => (field.timestamp && (value as number) <= 0 ? 'expected a valid timestamp' : undefined),
  (field, value) => (field.uuid && !isUuid(value) ? 'expected a valid UUID' : undefined),
  betweenError,
  lengthError,
  (field, value) =>
    field.starts_with !== undefined && !String(value).startsWith(field.starts_with)
      ? `should start with: ${field.starts_with}`
      : undefined,
  (field, value) =>
    field.contains !== undefined && !(value as unknown[]).includes(field.contains)
      ? `expected to contain: ${field.contains}`
      : undefined,
  (field, value) => field.custom_validator?.(value as never),
]

function constraintError(field: Field, value: unknown): string | undefined {
  for (const check of CONSTRAINTS) {
    const error = check(field, value)
    if (error !== undefined) return error
  }
  return undefined
}

function betweenError(field: Field, value: unknown): string | undefined {
  if (field.between === undefined) return undefined
  const [low, high] = field.between
  return (value as number) < low || (value as number) > high ? `value should be between ${low} and ${high}` : undefined
}

/** Strings are not empty unless their field says `len_min: 0`. Lengths of strings are bytes, as in Lua. */
function lengthError(field: Field, value: unknown): string | undefined {
  const length = lengthOf(value)
  if (length === undefined) return undefined
  const least = field.len_min ?? (field.type === 'string' ? 1 : 0)
  if (field.len_eq !== undefined && length !== field.len_eq) return `length must be ${field.len_eq}`
  if (length < least) return `length must be at least ${least}`
  if (field.len_max !== undefined && length > field.len_max) return `length must be at most ${field.len_max}`
  return undefined
}

function lengthOf(value: unknown): number | undefined {
  if (typeof value === 'string') return Buffer.byteLength(value)
  if (Array.isArray(value)) return value.length
  return isRecord(value) ? Object.keys(value).length : undefined
}
