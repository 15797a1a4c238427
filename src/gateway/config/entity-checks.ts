import type { FieldError, FieldErrors } from './api-error.ts'
import type { ConditionalAtLeastOneOf, ConditionalCheck, EntityCheck, EntityCheckFailure, Field } from './schema.ts'
import { isRecord, valueAt } from './values.ts'

/** Rules over several fields of an entity. */
export type CheckInput = {
  readonly checks: readonly EntityCheck[]
  readonly known: ReadonlyMap<string, Field>
  readonly entity: Readonly<Record<string, unknown>>
  readonly updating: boolean
  /** How a single value is validated; handed in because a record's own checks lead back here. */
  readonly errorOf: (field: Field, value: unknown) => FieldError | undefined
}

/**
 * Runs the checks and adds what they find to `errors`: texts under `@entity`, and the field that a condition is
 * about.
 */
export function runEntityChecks(input: CheckInput, errors: FieldErrors): void {
  for (const check of input.checks) {
    const failure = failureOf(check, input, errors)
    if (failure === undefined) continue
    if (typeof failure !== 'string') {
      Object.assign(errors, failure)
      continue
    }
    const whole = errors['@entity']
    if (Array.isArray(whole)) whole.push(failure)
    else errors['@entity'] = [failure]
  }
}

function failureOf(check: EntityCheck, input: CheckInput, errors: FieldErrors): EntityCheckFailure | undefined {
  const { entity } = input
  if ('at_least_one_of' in check) {
    if (check.at_least_one_of.some((name) => isFilled(at(entity, name)))) return undefined
    const when = input.updating ? 'when updating, ' : ''
    return `${when}at least one of these fields must be non-empty: ${quoted(check.at_least_one_of)}`
  }
  if ('only_one_of' in check) {
    const filled = check.only_one_of.filter((name) => isFilled(at(entity, name)))
    return filled.length === 1
      ? undefined
      : `exactly one of these fields must be non-empty: ${quoted(check.only_one_of)}`
  }
  if ('mutually_required' in check) {
    const filled = check.mutually_required.filter((name) => isFilled(at(entity, name)))
    const agree = filled.length === 0 || filled.length === check.mutually_required.length
    return agree ? undefined : `all or none of these fields must be set: ${quoted(check.mutually_required)}`
  }
  if ('distinct' in check) {
    const values = check.distinct.map((name) => at(entity, name)).filter(isFilled)
    const isDistinct = new Set(values).size === values.length
    return isDistinct ? undefined : `values of these fields must be distinct: ${quoted(check.distinct)}`
  }
  if ('conditional' in check) return conditional(check.conditional, input, errors)
  if ('conditional_at_least_one_of' in check) return conditionalAtLeastOneOf(check.conditional_at_least_one_of, input)
  const { field_sources, fn } = check.custom_entity_check
  return field_sources.some((name) => at(errors, name) !== undefined) ? undefined : fn(entity)
}

function conditional(check: ConditionalCheck, input: CheckInput, errors: FieldErrors): string | undefined {
  const { entity, known } = input
  if (!matches(input, check.if_field, check.if_match)) return undefined
  const target = { ...(fieldAt(known, check.then_field) ?? { type: 'json' as const }), ...check.then_match }
  const value = at(entity, check.then_field)
  const error = input.errorOf(target, value)
  if (error === undefined) return undefined
  put(errors, check.then_field, error)
  return check.then_err ?? `failed conditional validation given value of field '${check.if_field}'`
}

function conditionalAtLeastOneOf(check: ConditionalAtLeastOneOf, input: CheckInput): string | undefined {
  const { entity } = input
  const missing = (names: readonly string[], text: string) =>
    names.some((name) => isFilled(at(entity, name))) ? undefined : text.replace('%s', quoted(names))
  if (matches(input, check.if_field, check.if_match)) {
    return missing(check.then_at_least_one_of, check.then_err)
  }
  if (check.else_match === undefined || !matches(input, check.if_field, check.else_match)) return undefined
  return missing(check.else_then_at_least_one_of ?? [], check.else_then_err ?? '%s')
}

function matches(input: CheckInput, name: string, match: Partial<Field>): boolean {
  const field = { ...(fieldAt(input.known, name) ?? { type: 'json' as const }), ...match }
  return input.errorOf(field, at(input.entity, name)) === undefined
}

function fieldAt(known: ReadonlyMap<string, Field>, path: string): Field | undefined {
  const [first = '', ...rest] = path.split('.')
  let field = known.get(first)
  for (const name of rest) field = field?.fields?.find((entry) => name in entry)?.[name]
  return field
}

const at = (value: unknown, path: string) => valueAt(value, path.split('.'))

function put(errors: FieldErrors, path: string, error: FieldError): void {
  const [first = '', ...rest] = path.split('.')
  if (rest.length === 0) {
    errors[first] = error
    return
  }
  const inner = errors[first]
  const record: FieldErrors = isRecord(inner) ? (inner as FieldErrors) : {}
  errors[first] = record
  put(record, rest.join('.'), error)
}

function isFilled(value: unknown): boolean {
  if (value === null || value === undefined || value === '') return false
  return typeof value !== 'object' || Object.keys(value).length > 0
}

const quoted = (names: readonly string[]) => names.map((name) => `'${name}'`).join(', ')
