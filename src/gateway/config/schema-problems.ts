import type { Field, FieldType, NamedField } from './schema.ts'
import { errorOf } from './validate.ts'
import { isRecord } from './values.ts'

/** Types that a plugin's configuration may have: references to other entities are not among them. */
const TYPES = ['string', 'number', 'integer', 'boolean', 'record', 'array', 'set', 'map', 'json'] as const

/** What a field of a plugin's configuration may say, apart from what only the gateway's own entities use. */
const ATTRIBUTES: ReadonlySet<string> = new Set([
  'type',
  'description',
  'required',
  'default',
  'one_of',
  'not_one_of',
  'eq',
  'ne',
  'contains',
  'between',
  'gt',
  'len_min',
  'len_max',
  'len_eq',
  'starts_with',
  'fields',
  'entity_checks',
  'elements',
  'keys',
  'values',
  'referenceable',
  'encrypted',
  'custom_validator',
  'normalise',
] satisfies (keyof Field)[])

const FIELD_NAME = /^[a-z][a-z0-9_]*$/i

/**
 * What is wrong with fields that somebody else wrote, each with the place: names, types, attributes that do not exist,
 * defaults that their own field refuses. Empty when they can be used.
 */
export function schemaProblems(fields: readonly NamedField[], place: string): string[] {
  if (!Array.isArray(fields)) return [`${place} must be a list of fields: [{ name: { type: … } }]`]
  const seen = new Set<string>()
  return fields.flatMap((entry: unknown, index) => {
    const names = isRecord(entry) ? Object.keys(entry) : []
    const [name] = names
    if (!isRecord(entry) || name === undefined || names.length > 1) {
      return [`${place}[${index}] must have one name and its field, like { limit: { type: 'integer' } }`]
    }
    const problems = FIELD_NAME.test(name) ? [] : [`${place}.${name}: a name has letters, digits and underscores`]
    if (seen.has(name)) problems.push(`${place}.${name} is there twice`)
    seen.add(name)
    return [...problems, ...fieldProblems(entry[name], `${place}.${name}`)]
  })
}

function fieldProblems(field: unknown, place: string): string[] {
  if (!isRecord(field) || !TYPES.includes(field.type as (typeof TYPES)[number])) {
    return [`${place}: type must be one of ${TYPES.join(', ')}`]
  }
  const unknown = Object.keys(field).filter((name) => !ATTRIBUTES.has(name))
  const problems = unknown.map((name) => `${place}: a field has no "${name}"`)
  const inner = innerProblems(field as Field, place)
  if (unknown.length + inner.length > 0) return [...problems, ...inner]
  return defaultProblems(field as Field, place)
}

function innerProblems({ type, fields, elements, keys, values }: Field, place: string): string[] {
  if (type === 'record')
    return fields === undefined ? [`${place}: a record needs fields`] : schemaProblems(fields, place)
  if (isList(type)) {
    return elements === undefined ? [`${place}: a list needs elements`] : fieldProblems(elements, `${place}.elements`)
  }
  if (type !== 'map') return []
  return [
    ...(keys === undefined ? [] : fieldProblems(keys, `${place}.keys`)),
    ...(values === undefined ? [] : fieldProblems(values, `${place}.values`)),
  ]
}

const isList = (type: FieldType) => type === 'array' || type === 'set'

function defaultProblems(field: Field, place: string): string[] {
  if (field.default === undefined) return []
  const error = errorOf(field, field.default)
  if (error === undefined) return []
  return [`${place}: its default does not fit: ${typeof error === 'string' ? error : JSON.stringify(error)}`]
}
