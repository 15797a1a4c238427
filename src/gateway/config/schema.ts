/**
 * Kong's schema language as data. One description of an entity or plugin drives validation, defaults, the reading of
 * forms, and is served as it is under `/schemas`, where deck reads it. Functions among it stay here: JSON leaves them
 * out. Source: Kong 3.9, `kong/db/schema`.
 */
export type FieldType =
  | 'string'
  | 'number'
  | 'integer'
  | 'boolean'
  | 'record'
  | 'array'
  | 'set'
  | 'map'
  | 'foreign'
  | 'json'

/** One entry of a field list: a single name and its description, as Kong writes it to keep the order. */
export type NamedField = Readonly<Record<string, Field>>

export type Field = {
  readonly type: FieldType
  readonly description?: string
  /** Null is refused. */
  readonly required?: boolean
  readonly default?: unknown
  /** The store fills it in: an id, a time, a random key. */
  readonly auto?: boolean
  readonly unique?: boolean
  readonly timestamp?: boolean
  readonly uuid?: boolean
  readonly one_of?: readonly (string | number)[]
  readonly not_one_of?: readonly (string | number)[]
  readonly eq?: unknown
  readonly ne?: unknown
  /** Of arrays and sets: a value that must be in it. */
  readonly contains?: string
  /** Inclusive bounds. */
  readonly between?: readonly [number, number]
  readonly gt?: number
  readonly len_min?: number
  readonly len_max?: number
  readonly len_eq?: number
  readonly starts_with?: string
  /** Of records. */
  readonly fields?: readonly NamedField[]
  readonly shorthand_fields?: readonly Readonly<Record<string, ShorthandField>>[]
  readonly entity_checks?: readonly EntityCheck[]
  /** Of arrays and sets. */
  readonly elements?: Field
  /** Of maps. */
  readonly keys?: Field
  readonly values?: Field
  /** Of foreign fields: the kind it points to, and what happens to this entity when that one is deleted. */
  readonly reference?: string
  readonly on_delete?: 'cascade' | 'restrict'
  readonly immutable?: boolean
  readonly referenceable?: boolean
  readonly encrypted?: boolean
  /** A message for people when the value is refused, undefined when it is fine. Never called with null. */
  readonly custom_validator?: (value: never) => string | undefined
  /**
   * What is stored in place of a valid value, such as a password's hash. Leaves what it made as it is, so that an
   * entity can be written as it was read.
   */
  readonly stored?: (value: string) => string
  /** Of strings: the one form in which what is meant the same is kept. Called with what may yet be refused. */
  readonly normalise?: (value: string) => string
  /** A plugin's `config` in the entity itself: each plugin's schema says what is in it. */
  readonly abstract?: boolean
}

/**
 * A name accepted on input instead of others. With `deprecation.replaced_with` it is the old name of a field and
 * echoes it on output; with `expand` it is only input, like a service's `url`.
 */
export type ShorthandField = {
  readonly type: FieldType
  readonly description?: string
  readonly len_min?: number
  readonly deprecation?: {
    readonly message: string
    readonly removal_in_version: string
    readonly replaced_with: readonly { readonly path: readonly string[] }[]
  }
  /** The fields that `value` stands for, or a message for people why it cannot be read. */
  readonly expand?: (value: string) => Readonly<Record<string, unknown>> | string
}

/** A rule over several fields. Names may be dotted (`config.second`). */
export type EntityCheck =
  | { readonly at_least_one_of: readonly string[] }
  | { readonly only_one_of: readonly string[] }
  | { readonly mutually_required: readonly string[] }
  | { readonly distinct: readonly string[] }
  | { readonly conditional: ConditionalCheck }
  | { readonly conditional_at_least_one_of: ConditionalAtLeastOneOf }
  | { readonly custom_entity_check: CustomEntityCheck }

/** When `if_field` matches, `then_field` must match too. */
export type ConditionalCheck = {
  readonly if_field: string
  readonly if_match: Partial<Field>
  readonly then_field: string
  readonly then_match: Partial<Field>
  readonly then_err?: string
}

/** `%s` in the messages stands for the quoted names. */
export type ConditionalAtLeastOneOf = {
  readonly if_field: string
  readonly if_match: Partial<Field>
  readonly then_at_least_one_of: readonly string[]
  readonly then_err: string
  readonly else_match?: Partial<Field>
  readonly else_then_at_least_one_of?: readonly string[]
  readonly else_then_err?: string
}

export type CustomEntityCheck = {
  readonly field_sources: readonly string[]
  readonly fn: (entity: Readonly<Record<string, unknown>>) => EntityCheckFailure | undefined
}

/** A text is an error of the entity as a whole, a record an error of its named fields. */
export type EntityCheckFailure = string | Readonly<Record<string, unknown>>

export type EntitySchema = {
  readonly name: string
  readonly primary_key?: readonly string[]
  /** The unique field that may stand for the id in a path. */
  readonly endpoint_key?: string
  /** Fields that are unique together. */
  readonly cache_key?: readonly string[]
  /** It has no endpoints but those below its parent. */
  readonly nested_only?: true
  /** Path segment when it is not the name: `key-auths`; and below a parent: `key-auth`. */
  readonly admin_api_name?: string
  readonly admin_api_nested_name?: string
  readonly fields: readonly NamedField[]
  readonly shorthand_fields?: readonly Readonly<Record<string, ShorthandField>>[]
  readonly entity_checks?: readonly EntityCheck[]
  /** Fields that follow from others, written over what the client sent. Called with valid entities only. */
  readonly derive?: (entity: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>
  /** Field whose value picks a further schema, and what to say (`%s` is the value) when there is none for it. */
  readonly subschema_key?: string
  readonly subschema_error?: string
}

/**
 * What a plugin adds to the entity `plugins`: its `config` record, and fields whose description it narrows, e.g.
 * `{ consumer: noConsumer }`. Entity checks name the fields with their prefix (`config.second`).
 *
 * ```ts
 * { name: 'x', fields: [{ config: { type: 'record', required: true, fields: [{ limit: { type: 'number', gt: 0 } }] }
 * }] } ```
 */
export type PluginSchema = EntitySchema

/** What the Admin API knows of an installed plugin. `priority`: higher runs first. */
export type PluginDescription = {
  readonly name: string
  readonly version: string
  readonly priority: number
  readonly schema: PluginSchema
}

/** Of a plugin that authenticates: it cannot be scoped to a consumer, whom it has yet to find. */
export const noConsumer: Field = {
  type: 'foreign',
  reference: 'consumers',
  eq: null,
  description: 'Custom type for representing a foreign key with a null value allowed.',
}

/** The protocols of a plugin that works on HTTP requests. */
export const httpProtocols: Field = {
  type: 'set',
  required: true,
  default: ['grpc', 'grpcs', 'http', 'https'],
  elements: { type: 'string', one_of: ['grpc', 'grpcs', 'http', 'https'] },
  description: 'A set of strings representing HTTP protocols.',
}
