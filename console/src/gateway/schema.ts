import { isRecord, type Tree } from './tree.ts'

/** A plugin's schema as the Admin API serves it, in Kong's language: as much of it as a form is made of. */
export type PluginSchema = { readonly fields: readonly Readonly<Record<string, SchemaField>>[] }

export type SchemaField = {
  readonly type: 'string' | 'number' | 'integer' | 'boolean' | 'record' | 'array' | 'set' | 'map' | 'foreign' | 'json'
  readonly description?: string
  readonly required?: boolean
  readonly default?: unknown
  readonly one_of?: readonly (string | number)[]
  readonly between?: readonly [number, number]
  readonly gt?: number
  readonly len_min?: number
  readonly eq?: unknown
  readonly encrypted?: boolean
  readonly fields?: readonly Readonly<Record<string, SchemaField>>[]
  readonly elements?: SchemaField
}

/** How one field is edited. Whatever has no control of its own is edited as JSON. */
export type FormField = {
  readonly name: string
  /** From `config` down. */
  readonly path: readonly string[]
  readonly control: 'text' | 'secret' | 'number' | 'switch' | 'choice' | 'choices' | 'lines' | 'group' | 'json'
  readonly choices: readonly (string | number)[]
  /** Of a group. */
  readonly fields: readonly FormField[]
  readonly isRequired: boolean
  readonly isNumeric: boolean
  readonly default: unknown
  /** What it does, then the values it takes. */
  readonly hint: string
}

/** The fields of a plugin's configuration, in the schema's order, without those that only refuse. */
export function formFields(schema: PluginSchema): readonly FormField[] {
  return fieldsOf(configOf(schema), ['config'])
}

/** Scopes that the plugin cannot have: it says so by a field that must be null. */
export function refusedScopes({ fields }: PluginSchema): readonly string[] {
  return fields.flatMap((entry) =>
    Object.entries(entry).flatMap(([name, field]) => (field.type === 'foreign' && field.eq === null ? [name] : [])),
  )
}

/** The configuration of a plugin that is added without saying anything of it. */
export function defaultConfig(schema: PluginSchema): Tree {
  return defaultsOf(configOf(schema))
}

function configOf({ fields }: PluginSchema): SchemaField {
  const found = fields.find((entry) => entry.config !== undefined)?.config
  return found ?? { type: 'record', fields: [] }
}

function defaultsOf({ fields = [] }: SchemaField): Tree {
  const entries = fields.flatMap((entry) => Object.entries(entry))
  return Object.fromEntries(entries.map(([name, field]) => [name, defaultOf(field)]))
}

function defaultOf(field: SchemaField): unknown {
  if (field.type === 'record') return { ...defaultsOf(field), ...(isRecord(field.default) ? field.default : {}) }
  return field.default ?? null
}

function fieldsOf({ fields = [] }: SchemaField, path: readonly string[]): readonly FormField[] {
  return fields
    .flatMap((entry) => Object.entries(entry))
    .filter(([, field]) => !('eq' in field))
    .map(([name, field]) => formField(name, field, [...path, name]))
}

function formField(name: string, field: SchemaField, path: readonly string[]): FormField {
  const element = field.elements ?? field
  return {
    name,
    path,
    control: controlOf(field),
    choices: element.one_of ?? [],
    fields: field.type === 'record' ? fieldsOf(field, path) : [],
    isRequired: field.required === true && field.default === undefined && field.type !== 'record',
    isNumeric: element.type === 'number' || element.type === 'integer',
    default: defaultOf(field),
    hint: [field.description, rangeOf(element)].filter((part) => part !== undefined && part !== '').join(' '),
  }
}

function controlOf({ type, one_of, elements, encrypted, fields = [] }: SchemaField): FormField['control'] {
  if (type === 'record') return fields.length > 0 ? 'group' : 'json'
  if (type === 'array' || type === 'set') {
    if (elements?.one_of !== undefined) return 'choices'
    return elements !== undefined && SCALARS.has(elements.type) ? 'lines' : 'json'
  }
  if (one_of !== undefined) return 'choice'
  if (type === 'boolean') return 'switch'
  if (type === 'number' || type === 'integer') return 'number'
  if (type === 'string') return encrypted === true ? 'secret' : 'text'
  return 'json'
}

const SCALARS = new Set(['string', 'number', 'integer'])

function rangeOf({ between, gt, type }: SchemaField): string | undefined {
  if (between !== undefined) return `${between[0]} to ${between[1].toLocaleString('en-US')}.`
  if (gt !== undefined) return `More than ${gt}.`
  return type === 'integer' ? 'A whole number.' : undefined
}

/** What differs from the defaults, in few words: `minute 100 · policy redis`. */
export function summaryOf(config: Tree, fields: readonly FormField[]): string {
  return fields.flatMap((field) => wordsOf(config[field.name], field)).join(' · ')
}

function wordsOf(value: unknown, field: FormField): readonly string[] {
  if (field.control === 'group') return isRecord(value) ? [summaryOf(value, field.fields)].filter((text) => text) : []
  if (value === undefined || value === null || JSON.stringify(value) === JSON.stringify(field.default)) return []
  if (typeof value === 'boolean') return [value ? field.name : `not ${field.name}`]
  if (Array.isArray(value)) return [`${field.name} ${value.map(shortText).join(', ')}`]
  return [`${field.name} ${shortText(value)}`]
}

function shortText(value: unknown): string {
  const text = typeof value === 'object' ? JSON.stringify(value) : String(value)
  return text.length > 40 ? `${text.slice(0, 39)}…` : text
}
