import { isDeepStrictEqual } from 'node:util'
import { type Catalog, createCatalog } from '../config/catalog.ts'
import type { Entity } from '../config/entities.ts'
import type { EntitySchema, PluginDescription } from '../config/schema.ts'
import { isRecord } from '../config/values.ts'
import { type Entities, entitiesIn, readDeclaration } from '../declarative/declaration.ts'
import { writeKongFile } from '../declarative/kong-file.ts'
import { type AdminAddress, AdminClient } from './admin-client.ts'
import { readApisixFile } from './apisix-reader.ts'
import { writeApisixFile } from './apisix-writer.ts'

/** A way out to another gateway, and a way in from it. */
export type ExchangeFormat = 'kong' | 'apisix'

export type ExchangeOptions = { readonly admin: AdminAddress; readonly plugins: readonly PluginDescription[] }

export type ExportedConfig = {
  readonly text: string
  /** What has no counterpart in the format, for people: each names the entity. */
  readonly omitted: readonly string[]
}

export type ImportedConfig = {
  readonly created: number
  readonly updated: number
  readonly unchanged: number
  readonly omitted: readonly string[]
}

/** The configuration of a running gateway as a file of another. */
export async function exportConfig(format: ExchangeFormat, options: ExchangeOptions): Promise<ExportedConfig> {
  const catalog = createCatalog(options.plugins)
  const entities = await new AdminClient(options.admin, catalog).read()
  return format === 'kong' ? { text: writeKongFile(catalog, entities), omitted: [] } : writeApisixFile(entities)
}

/**
 * Brings what a file declares into a running gateway; which format it is in, the file itself says. What has the same
 * name or scope is replaced and keeps its id, nothing is deleted. The file is checked whole before the first write.
 */
export async function importConfig(text: string, options: ExchangeOptions): Promise<ImportedConfig> {
  const catalog = createCatalog(options.plugins)
  const client = new AdminClient(options.admin, catalog)
  const { entities, omitted } = readFile(catalog, text)
  const present = await client.read()
  const adopted = withIdsOf(catalog, entities, present)
  const counts = { created: 0, updated: 0, unchanged: 0 }
  for (const schema of catalog.kinds) {
    const before = new Map((present.get(schema.name) ?? []).map((entity) => [entity.id, entity]))
    for (const entity of adopted.get(schema.name) ?? []) {
      const current = before.get(entity.id)
      if (current !== undefined && isSame(entity, current)) {
        counts.unchanged += 1
        continue
      }
      await client.write(schema, entity)
      counts[current === undefined ? 'created' : 'updated'] += 1
    }
  }
  return { ...counts, omitted }
}

function readFile(catalog: Catalog, text: string): { entities: Entities; omitted: readonly string[] } {
  const apisix = readApisixFile(text)
  if (apisix === undefined) {
    const { entities, notices } = readDeclaration(catalog, text)
    return { entities, omitted: notices }
  }
  const { collections, omitted } = apisix
  return { entities: entitiesIn(catalog, { collections, hasMarkedPatterns: true }), omitted }
}

/** Entities of one name or scope are one entity: the declared one takes the id of the one that is there. */
function withIdsOf(catalog: Catalog, declared: Entities, present: Entities): Entities {
  const ids = new Map<unknown, unknown>()
  const adopt = (value: unknown): unknown =>
    isRecord(value) && ids.has(value.id) ? { ...value, id: ids.get(value.id) } : value
  return new Map(
    catalog.kinds.map((schema) => {
      const known = new Map((present.get(schema.name) ?? []).map((entity) => [identityOf(schema, entity), entity.id]))
      const list = (declared.get(schema.name) ?? []).map((entity) => {
        const linked = Object.fromEntries(Object.entries(entity).map(([name, value]) => [name, adopt(value)]))
        const id = known.get(identityOf(schema, linked)) ?? entity.id
        ids.set(entity.id, id)
        return { ...linked, id }
      })
      return [schema.name, list]
    }),
  )
}

function identityOf(schema: EntitySchema, entity: Entity): unknown {
  if (schema.cache_key !== undefined) {
    return schema.cache_key.map((name) => (isRecord(entity[name]) ? entity[name].id : entity[name])).join('/')
  }
  return (schema.endpoint_key !== undefined && entity[schema.endpoint_key]) || entity.id
}

/** Times apart, and but for names that the Admin API echoes beside the declared ones. */
function isSame(declared: Entity, current: Entity): boolean {
  return Object.entries(declared).every(
    ([name, value]) => /^(created|updated)_at$/.test(name) || isContained(value, current[name]),
  )
}

function isContained(value: unknown, current: unknown): boolean {
  if (!isRecord(value) || !isRecord(current)) return isDeepStrictEqual(value, current)
  return Object.entries(value).every(([name, inner]) => isContained(inner, current[name]))
}
