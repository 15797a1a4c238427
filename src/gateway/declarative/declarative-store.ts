import { createHash } from 'node:crypto'
import { operationUnsupported } from '../config/api-error.ts'
import { type Catalog, createCatalog } from '../config/catalog.ts'
import type { ConfigPage, ConfigStore, Entity, EntityLookup, GatewayConfig, PageOptions } from '../config/entities.ts'
import type { PluginDescription } from '../config/schema.ts'
import { ConfigImage } from '../config/snapshot.ts'
import { isRecord } from '../config/values.ts'
import { type Entities, readDeclaration } from './declaration.ts'
import { writeKongFile } from './kong-file.ts'

/** A configuration that was put in force. */
export type LoadedConfig = { readonly entities: Entities; readonly notices: readonly string[] }

/**
 * The configuration in memory, from a declarative document: Kong without a database. It changes only as a whole, by
 * {@link load}; every other write throws Kong's `ApiError` for that.
 */
export type DeclarativeStore = ConfigStore & {
  /** Puts a document in force at once. One with a mistake throws an `ApiError`, and what was in force stays. */
  load(text: string): LoadedConfig
  /** Of the document in force, 32 hex digits; zeros before the first. */
  readonly hash: string
  /** The configuration as a document of its own. */
  document(): string
}

export function createDeclarativeStore(options: { readonly plugins: readonly PluginDescription[] }): DeclarativeStore {
  return new MemoryConfigStore(createCatalog(options.plugins))
}

/** The fingerprint by which two texts count as the same configuration: MD5, which says nothing about who wrote it. */
export const hashOf = (text: string) => createHash('md5').update(text).digest('hex')

class MemoryConfigStore implements DeclarativeStore {
  readonly #catalog: Catalog
  readonly #image = new ConfigImage()
  readonly #listeners = new Set<(config: GatewayConfig) => void>()
  #entities: Entities = new Map()
  #hash = '0'.repeat(32)

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  get hash(): string {
    return this.#hash
  }

  async start(): Promise<void> {}

  async stop(): Promise<void> {}

  load(text: string): LoadedConfig {
    const { entities, notices } = readDeclaration(this.#catalog, text)
    this.#entities = new Map([...entities].map(([kind, list]) => [kind, list.toSorted(byId)]))
    this.#hash = hashOf(text)
    const changes = [...entities].flatMap(([kind, list]) => list.map((body) => ({ kind, id: String(body.id), body })))
    this.#image.apply(this.#image.config.version + 1, changes, true)
    for (const listener of this.#listeners) listener(this.#image.config)
    return { entities, notices }
  }

  document(): string {
    return writeKongFile(this.#catalog, this.#entities)
  }

  snapshot(): GatewayConfig {
    return this.#image.config
  }

  subscribe(listener: (config: GatewayConfig) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  async get(kind: string, { field, value }: EntityLookup): Promise<Entity | undefined> {
    return this.#all(kind).find((entity) => entity[field] === value)
  }

  async page(kind: string, { size, after, parent, tags }: PageOptions): Promise<ConfigPage> {
    const matching = this.#all(kind).filter(
      (entity) =>
        (after === undefined || String(entity.id) > after) &&
        (parent === undefined || isChildOf(entity, parent)) &&
        (tags === undefined || hasTags(entity, tags)),
    )
    const entities = matching.slice(0, size)
    return { entities, next: matching.length > size ? String(entities.at(-1)?.id) : undefined }
  }

  async insert(kind: string): Promise<Entity> {
    throw operationUnsupported('create', kind)
  }

  async upsert(kind: string): Promise<Entity> {
    throw operationUnsupported('create or update', kind)
  }

  /** What is wrong with the change itself is said first, as with a database. */
  async update(kind: string, id: string, change: (current: Entity) => Entity): Promise<Entity | undefined> {
    const current = await this.get(kind, { field: 'id', value: id })
    if (current === undefined) return undefined
    change(current)
    throw operationUnsupported('update', kind)
  }

  async delete(kind: string): Promise<boolean> {
    throw operationUnsupported('remove', kind)
  }

  async reachable(): Promise<boolean> {
    return true // There is none to reach: the configuration is here.
  }

  #all(kind: string): readonly Entity[] {
    return this.#entities.get(kind) ?? []
  }
}

const byId = (left: Entity, right: Entity) => (String(left.id) < String(right.id) ? -1 : 1)

function isChildOf(entity: Entity, { field, id }: NonNullable<PageOptions['parent']>): boolean {
  const reference = entity[field]
  return isRecord(reference) && reference.id === id
}

function hasTags({ tags }: Entity, { values, match }: NonNullable<PageOptions['tags']>): boolean {
  const own = Array.isArray(tags) ? tags : []
  return match === 'all' ? values.every((tag) => own.includes(tag)) : values.some((tag) => own.includes(tag))
}
