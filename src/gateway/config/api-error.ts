/**
 * Errors as Kong's Admin API answers them: `{ code, name, message, fields }`, or only `{ message }` for what concerns
 * the request rather than the entity.
 */
export type FieldErrors = { [field: string]: FieldError }
export type FieldError = string | FieldErrors | (string | FieldErrors | null)[]

/** Thrown where the client is at fault; `status` and `body` are the whole answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>

  constructor(status: number, body: Readonly<Record<string, unknown>> & { readonly message: string }) {
    super(body.message)
    this.status = status
    this.body = body
  }
}

const ENTITY = '@entity'

export const notFound = () => new ApiError(404, { message: 'Not found' })
export const methodNotAllowed = () => new ApiError(405, { message: 'Method not allowed' })

/** One or more fields are wrong; `fields` mirrors the entity, errors of the whole entity are a list under `@entity`. */
export function schemaViolation(fields: FieldErrors): ApiError {
  const parts = describe(fields)
  const count = parts.length === 1 ? 'schema violation' : `${parts.length} schema violations`
  return coded(400, { code: 2, name: 'schema violation', message: `${count} (${parts.join('; ')})`, fields })
}

export function foreignKeyMissing(field: string, id: string, parent: string): ApiError {
  const message = `the foreign key '${luaText({ id })}' does not reference an existing '${parent}' entity.`
  return coded(400, { code: 4, name: 'foreign key violation', message, fields: { [field]: { id } } })
}

export function stillReferenced(parent: string, child: string): ApiError {
  const message = `an existing '${child}' entity references this '${parent}' entity`
  return coded(400, { code: 4, name: 'foreign key violation', message, fields: { '@referenced_by': child } })
}

/** A certificate that a list names, which is no foreign key. */
export function authorityInUse(id: string, service: string): ApiError {
  const message = `ca certificate ${id} is still referenced by services (id = ${service})`
  return coded(400, { code: 19, name: 'referenced by others', message })
}

export function foreignKeyUnresolved(field: string, by: { name: string; value: string; parent: string }): ApiError {
  const given = luaText({ [by.name]: by.value })
  const reason = `the foreign key cannot be resolved with '${given}' for an existing '${by.parent}' entity`
  const message = `foreign key unresolved (${field}.${by.name}: ${reason})`
  return coded(400, { code: 13, name: 'foreign keys unresolved', message, fields: { [field]: { [by.name]: reason } } })
}

/** `values`: the field, or the fields, that another entity already has. */
export function uniqueViolation(values: Readonly<Record<string, unknown>>): ApiError {
  const message = `UNIQUE violation detected on '${luaText(values)}'`
  return coded(409, { code: 5, name: 'unique constraint violation', message, fields: values })
}

export function primaryKeyViolation(id: string): ApiError {
  const message = `primary key violation on key '${luaText({ id })}'`
  return coded(400, { code: 3, name: 'primary key violation', message, fields: { id } })
}

export function invalidOffset(offset: string, reason: string): ApiError {
  return coded(400, { code: 7, name: 'invalid offset', message: `'${offset}' is not a valid offset: ${reason}` })
}

export const invalidSize = (message: string) => coded(400, { code: 9, name: 'invalid size', message })

/** A write to a configuration that is a document, and changes only as a whole. */
export function operationUnsupported(operation: string, kind: string): ApiError {
  const message = `cannot ${operation} '${kind}' entities when not using a database`
  return coded(405, { code: 12, name: 'operation unsupported', message })
}

/** Details are under `options` here, not under `fields`. */
export function invalidOption(option: string, reason: string): ApiError {
  const message = `invalid option (${option}: ${reason})`
  return coded(400, { code: 11, name: 'invalid options', message, options: { [option]: reason } })
}

/** Kong's texts hold values in Lua's notation: `{id="x"}`; with an indent, one entry a line. */
export function luaText(value: unknown, indent?: number): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value !== 'object') return typeof value === 'string' ? `"${value}"` : String(value)
  const deeper = indent === undefined ? undefined : indent + 1
  const entries = Array.isArray(value)
    ? value.map((item) => luaText(item, deeper))
    : Object.keys(value)
        .sort()
        .map((key) => `${key}${indent === undefined ? '=' : ' = '}${luaText((value as FieldErrors)[key], deeper)}`)
  if (indent === undefined) return `{${entries.join(',')}}`
  const pad = '  '.repeat(indent + 1)
  return `{\n${entries.map((entry) => pad + entry).join(',\n')}\n${'  '.repeat(indent)}}`
}

function coded(
  status: number,
  body: { code: number; name: string; message: string } & Readonly<Record<string, unknown>>,
): ApiError {
  return new ApiError(status, body)
}

/**
 * Entity errors first, then the fields by name, two levels dotted and what is deeper in Lua's notation. Items count
 * from 1.
 */
function describe(fields: FieldErrors): string[] {
  const whole = fields[ENTITY]
  const parts: string[] = Array.isArray(whole) ? whole.map(String) : []
  for (const [name, error] of sorted(fields)) {
    if (name === ENTITY) continue
    if (typeof error === 'string') parts.push(`${name}: ${error}`)
    else for (const [inner, reason] of nested(error)) parts.push(`${name}.${inner}: ${textOf(reason)}`)
  }
  return parts
}

function nested(error: Exclude<FieldError, string>): [string, FieldError][] {
  if (!Array.isArray(error)) return sorted(error)
  return error.flatMap((item, index): [string, FieldError][] => (item === null ? [] : [[String(index + 1), item]]))
}

function sorted(fields: FieldErrors): [string, FieldError][] {
  return Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1))
}

function textOf(error: FieldError): string {
  return typeof error === 'string' ? error : luaText(error, 0)
}
