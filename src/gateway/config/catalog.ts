import { kinds } from './kinds.ts'
import type { EntitySchema, Field, NamedField, PluginDescription } from './schema.ts'
import type { Rules } from './validate.ts'

/** A field of another kind that points here: `services` has the children `routes.service` and `plugins.service`. */
export type Child = { readonly schema: EntitySchema; readonly field: string; readonly cascades: boolean }

/** Every kind of entity and every installed plugin, with what follows from their schemas. */
export type Catalog = {
  readonly kinds: readonly EntitySchema[]
  readonly plugins: ReadonlyMap<string, PluginDescription>
  /** The schema of a kind; throws for an unknown one, a programmer error. */
  kind(name: string): EntitySchema
  /** The kind behind a path segment: `key-auths` is `keyauth_credentials`. */
  kindAt(segment: string): EntitySchema | undefined
  /** Kinds with a field that references `kind`. */
  childrenOf(kind: string): readonly Child[]
  /** Fields and checks of one entity: those of its kind, narrowed by its plugin's schema. */
  rulesOf(schema: EntitySchema, entity: Readonly<Record<string, unknown>>): Rules
}

export function createCatalog(plugins: readonly PluginDescription[]): Catalog {
  const byName = new Map(kinds.map((schema) => [schema.name, schema]))
  const bySegment = new Map(kinds.filter((schema) => !schema.nested_only).map((schema) => [segmentOf(schema), schema]))
  const installed = new Map(plugins.map((plugin) => [plugin.name, plugin]))
  const children = new Map(kinds.map(({ name }) => [name, kinds.flatMap((schema) => childrenIn(schema, name))]))
  const narrowedRules = new Map<string, Rules>()
  return {
    kinds,
    plugins: installed,
    kind(name) {
      const schema = byName.get(name)
      if (schema === undefined) throw new Error(`no kind of entity is called "${name}"`)
      return schema
    },
    kindAt: (segment) => bySegment.get(segment),
    childrenOf: (kind) => children.get(kind) ?? [],
    rulesOf(schema, entity) {
      const plugin = schema.subschema_key && installed.get(String(entity[schema.subschema_key]))
      if (!plugin) return rulesOf(schema.fields, schema)
      const key = `${schema.name} ${plugin.name}`
      const rules = narrowedRules.get(key) ?? narrowed(schema, plugin.schema)
      narrowedRules.set(key, rules)
      return rules
    },
  }
}

/** First path segment of a kind's endpoints. */
export const segmentOf = (schema: EntitySchema) => schema.admin_api_name ?? schema.name

/** Path segment of a kind below its parent. */
export const nestedSegmentOf = (schema: EntitySchema) => schema.admin_api_nested_name ?? segmentOf(schema)

type FieldPairs = readonly (readonly [string, Field])[]

/** Schemas do not change, and every entity is read by them: one with thousands would make the same lists as often. */
const PAIRS = new WeakMap<readonly NamedField[], FieldPairs>()

export function fieldsOf(fields: readonly NamedField[]): FieldPairs {
  const known = PAIRS.get(fields)
  if (known !== undefined) return known
  const pairs = fields.flatMap((entry) => Object.entries(entry))
  PAIRS.set(fields, pairs)
  return pairs
}

function childrenIn(schema: EntitySchema, parent: string): Child[] {
  return fieldsOf(schema.fields)
    .filter(([, field]) => field.type === 'foreign' && field.reference === parent)
    .map(([field, { on_delete }]) => ({ schema, field, cascades: on_delete === 'cascade' }))
}

function narrowed(schema: EntitySchema, plugin: EntitySchema): Rules {
  const narrower: Record<string, Field> = Object.fromEntries(fieldsOf(plugin.fields))
  const fields = fieldsOf(schema.fields).map(([name, field]) => ({ [name]: narrower[name] ?? field }))
  return rulesOf(fields, { entity_checks: [...(schema.entity_checks ?? []), ...(plugin.entity_checks ?? [])] })
}

function rulesOf(fields: readonly NamedField[], checks: Pick<EntitySchema, 'entity_checks'>): Rules {
  return { fields, entity_checks: checks.entity_checks ?? [] }
}
