import { ApiError, type FieldError, type FieldErrors, luaText } from '../config/api-error.ts'
import { isRecord } from '../config/values.ts'

/**
 * What is wrong with a declarative configuration. `fields` has the shape of the document, with null for the entities
 * that are right: `{ services: [null, { host: 'required field missing' }] }`.
 */
export function invalidDeclaration(fields: FieldErrors): ApiError {
  return new ApiError(400, {
    code: 14,
    name: 'invalid declarative configuration',
    message: `declarative config is invalid: ${luaText(fields)}`,
    fields,
  })
}

/** One wrong entity, apart from the others: for tools that have to say whose fault it is. */
export type FlattenedError = {
  readonly entity_type: string
  readonly entity_name?: unknown
  readonly entity_id?: unknown
  readonly entity_tags?: unknown
  readonly entity: Readonly<Record<string, unknown>>
  readonly errors: readonly FlattenedReason[]
}

type FlattenedReason =
  | { readonly type: 'field'; readonly field: string; readonly message: string }
  | { readonly type: 'entity'; readonly message: string }

export type WrongEntity = {
  readonly kind: string
  readonly values: Readonly<Record<string, unknown>>
  readonly errors: FieldErrors
}

/** As Kong answers `?flatten_errors=1`. */
export function flattenedError({ kind, values, errors }: WrongEntity): FlattenedError {
  return {
    entity_type: kind.replace(/s$/, ''),
    ...(values.name === undefined ? {} : { entity_name: values.name }),
    ...(values.id === undefined ? {} : { entity_id: values.id }),
    ...(values.tags === undefined ? {} : { entity_tags: values.tags }),
    entity: values,
    errors: reasonsOf(errors, []),
  }
}

function reasonsOf(error: FieldError | null, path: readonly string[]): FlattenedReason[] {
  if (error === null) return []
  if (typeof error === 'string') return [{ type: 'field', field: path.join('.'), message: error }]
  const entries: readonly (readonly [string, FieldError | null])[] = Array.isArray(error)
    ? error.map((item, index) => [String(index + 1), item] as const)
    : Object.entries(error)
  return entries.flatMap(([name, inner]) => {
    if (name === '@entity' && Array.isArray(inner)) {
      return inner.map((message): FlattenedReason => ({ type: 'entity', message: String(message) }))
    }
    return reasonsOf(inner, [...path, name])
  })
}

/** Puts an error where its entity is in the document. */
export function placeError(root: FieldErrors, path: readonly (string | number)[], errors: FieldErrors): void {
  let place: Record<string | number, unknown> | unknown[] = root
  for (const [index, step] of path.entries()) {
    const at = place as Record<string | number, unknown>
    at[step] ??= typeof path[index + 1] === 'number' ? [] : {}
    if (Array.isArray(place)) for (let item = 0; item < place.length; item++) place[item] ??= null
    place = at[step] as Record<string | number, unknown>
  }
  if (isRecord(place)) for (const [name, reason] of Object.entries(errors)) setOwn(place, name, reason)
}

/** Whatever the name: assigned, a mistake in a field called `__proto__` would be no field, and be lost. */
export function setOwn(target: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, writable: true, configurable: true })
}
