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
  /** What has no counterpart there, for people: each names the entity. */
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
  const catalog = await catalogOf(options)
  const entities = await new AdminClient(options.admin, catalog).read()
  if (format === 'apisix') return writeApisixFile(entities)
  return { text: writeKongFile(catalog, entities), omitted: strangersToKong(entities) }
}

/**
 * Brings what a file declares into a running gateway; which format it is in, the file itself says. What has the same
 * name or scope is replaced and keeps its id, nothing is deleted. The file is checked whole before the first write.
 */
export async function importConfig(text: string, options: ExchangeOptions): Promise<ImportedConfig> {
  const catalog = await catalogOf(options)
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

/** The installed plugins, and those that only the running gateway has: its application brought them. */
async function catalogOf({ admin, plugins }: ExchangeOptions): Promise<Catalog> {
  const installed = createCatalog(plugins)
  const further = await new AdminClient(admin, installed).furtherPlugins()
  return further.length === 0 ? installed : createCatalog([...plugins, ...further])
}

const IN_KONG = new Set([
  'acl',
  'basic-auth',
  'bot-detection',
  'correlation-id',
  'cors',
  'file-log',
  'http-log',
  'ip-restriction',
  'jwt',
  'key-auth',
  'opentelemetry',
  'prometheus',
  'proxy-cache',
  'rate-limiting',
  'request-size-limiting',
  'request-termination',
  'request-transformer',
  'response-transformer',
])

const IN_PAID_KONG = new Set(['canary', 'request-validator'])

/** They are in the file, for another gateway of this kind: Kong refuses it until they are taken out. */
function strangersToKong(entities: Entities): readonly string[] {
  const names = new Set((entities.get('plugins') ?? []).map(({ name }) => String(name)))
  const strangers = [...names].filter((name) => !IN_KONG.has(name)).sort()
  return strangers.map((name) =>
    IN_PAID_KONG.has(name)
      ? `plugin ${name}: only Kong’s paid edition has it, others refuse the file with it`
      : `plugin ${name}: Kong does not have it, and refuses the file with it`,
  )
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
