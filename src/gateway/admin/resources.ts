import { randomUUID } from 'node:crypto'
import { foreignKeyUnresolved, methodNotAllowed, notFound } from '../config/api-error.ts'
import { type Catalog, type Child, fieldsOf, nestedSegmentOf, segmentOf } from '../config/catalog.ts'
import type { ConfigStore, Entity, EntityLookup } from '../config/entities.ts'
import { cacheKeyLookup } from '../config/entity-rows.ts'
import { prepareInsert, prepareUpdate, present } from '../config/prepare.ts'
import type { EntitySchema, Field } from '../config/schema.ts'
import { isRecord, isUuid } from '../config/values.ts'
import { type Call, created, type Endpoint, type Input, noContent, ok } from './answer.ts'
import { inferForm } from './form.ts'
import { listAnswer, pageOptions } from './list.ts'

type Values = Readonly<Record<string, unknown>>
/** What a request replaces, and the fields that its path settles. */
type Target = { readonly key: string; readonly existing: Entity | undefined; readonly fixed?: Values }

/** `fixed` is laid over a body; `current` is what it changes, which may decide how it is read. */
type Surroundings = { readonly fixed?: Values; readonly current?: Values }

type Parent = { readonly child: Child; readonly schema: EntitySchema; readonly key: string }

/** The endpoints of every kind, derived from the schemas. */
export type Resources = {
  /** The endpoint at a path (`['services', 'shop', 'routes']`), undefined when there is none. */
  at(segments: readonly string[]): Endpoint | undefined
  /** Whether a body would be accepted; throws an `ApiError` when it would not. */
  validate(schema: EntitySchema, input: Input): Promise<void>
}

export function createResources(store: ConfigStore, catalog: Catalog): Resources {
  const resources = new EntityResources(store, catalog)
  return {
    at(segments) {
      const [first = '', key, inner, innerKey, ...rest] = segments
      const schema = catalog.kindAt(first)
      if (schema === undefined || rest.length > 0) return undefined
      if (key === undefined) return resources.collection(schema)
      if (inner === undefined) return resources.item(schema, key)
      const foreign = innerKey === undefined ? referenceOf(catalog, schema, inner) : undefined
      if (foreign !== undefined) return resources.parentOf(schema, key, foreign)
      const child = catalog.childrenOf(schema.name).find((each) => nestedSegmentOf(each.schema) === inner)
      if (child === undefined) return undefined
      const parent = { child, schema, key }
      return innerKey === undefined ? resources.children(parent) : resources.child(parent, innerKey)
    },
    async validate(schema, input) {
      prepareInsert(catalog, schema, await resources.valuesOf(schema, input))
    },
  }
}

type Foreign = { readonly field: string; readonly schema: EntitySchema }

function referenceOf(catalog: Catalog, schema: EntitySchema, name: string): Foreign | undefined {
  const found = fieldsOf(schema.fields).find(([field, { type }]) => field === name && type === 'foreign')
  const reference = found && catalog.kinds.find((kind) => kind.name === found[1].reference)
  return reference && { field: name, schema: reference }
}

class EntityResources {
  readonly #store: ConfigStore
  readonly #catalog: Catalog

  constructor(store: ConfigStore, catalog: Catalog) {
    this.#store = store
    this.#catalog = catalog
  }

  /** `/services` */
  collection(schema: EntitySchema): Endpoint {
    return {
      GET: async ({ query }) => {
        const customId = schema.name === 'consumers' ? query.get('custom_id') : null
        if (customId !== null) {
          const found = await this.#get(schema, { field: 'custom_id', value: customId })
          return ok({ data: found ? [present(this.#catalog, schema, found)] : [], next: null })
        }
        return this.#list(`/${segmentOf(schema)}`, schema, { query })
      },
      POST: async (call) => created(await this.#create(schema, await call.input())),
    }
  }

  /** `/services/{id or name}` */
  item(schema: EntitySchema, key: string): Endpoint {
    return {
      GET: async () => ok(present(this.#catalog, schema, await this.#find(schema, key))),
      PUT: async (call) => {
        const existing = await this.#lookUp(schema, key)
        return ok(await this.#replace(schema, { key, existing }, await call.input()))
      },
      PATCH: async (call) => {
        const existing = await this.#find(schema, key)
        return ok(await this.#change(schema, existing, await call.input()))
      },
      DELETE: async () => {
        const existing = await this.#lookUp(schema, key)
        if (existing !== undefined) await this.#store.delete(schema.name, String(existing.id))
        return noContent
      },
    }
  }

  /** `/routes/{route}/service`: the entity that a foreign field points to. */
  parentOf(schema: EntitySchema, key: string, foreign: Foreign): Endpoint {
    const idOf = (entity: Entity) => {
      const value = entity[foreign.field]
      return isRecord(value) ? String(value.id) : undefined
    }
    const find = async () => {
      const id = idOf(await this.#find(schema, key))
      if (id === undefined) throw notFound()
      return this.#find(foreign.schema, id)
    }
    return {
      GET: async () => ok(present(this.#catalog, foreign.schema, await find())),
      PUT: async (call) => {
        const entity = await this.#find(schema, key)
        const id = idOf(entity)
        const input = await call.input()
        const target = { key: id ?? randomUUID(), existing: id === undefined ? undefined : await find() }
        const parent = await this.#replace(foreign.schema, target, input)
        if (id === undefined) {
          const link = { values: { [foreign.field]: { id: parent.id } }, form: false }
          await this.#change(schema, entity, link)
        }
        return ok(parent)
      },
      PATCH: async (call) => ok(await this.#change(foreign.schema, await find(), await call.input())),
      DELETE: async () => {
        await find()
        throw methodNotAllowed()
      },
    }
  }

  /** `/services/{service}/routes` */
  children(parent: Parent): Endpoint {
    const { child, schema, key } = parent
    const path = `/${segmentOf(schema)}/${encodeURIComponent(key)}/${nestedSegmentOf(child.schema)}`
    return {
      GET: async ({ query }) => {
        const { id } = await this.#find(schema, key)
        return this.#list(path, child.schema, { query, parent: { field: child.field, id: String(id) } })
      },
      POST: async (call) => {
        const { id } = await this.#find(schema, key)
        return created(await this.#create(child.schema, await call.input(), { [child.field]: { id } }))
      },
    }
  }

  /** `/services/{service}/routes/{route}`: 404 for one that belongs elsewhere. */
  child(parent: Parent, key: string): Endpoint {
    const { child } = parent
    const owner = async () => ({ [child.field]: { id: (await this.#find(parent.schema, parent.key)).id } })
    const find = async (owned: Values) => {
      const entity = await this.#lookUpOwned(child.schema, key, owned)
      if (entity !== undefined && !isOwned(entity, owned)) throw notFound()
      return entity
    }
    const findOne = async (owned: Values) => {
      const entity = await find(owned)
      if (entity === undefined) throw notFound()
      return entity
    }
    return {
      GET: async () => ok(present(this.#catalog, child.schema, await findOne(await owner()))),
      PUT: async (call) => {
        const fixed = await owner()
        const existing = await find(fixed)
        return ok(await this.#replace(child.schema, { key, existing, fixed }, await call.input()))
      },
      PATCH: async (call) => {
        const existing = await findOne(await owner())
        return ok(await this.#change(child.schema, existing, await call.input()))
      },
      DELETE: async () => {
        const entity = await find(await owner())
        if (entity !== undefined) await this.#store.delete(child.schema.name, String(entity.id))
        return noContent
      },
    }
  }

  /** The values of a body: forms typed by the schema, parents resolved to their ids. */
  async valuesOf(schema: EntitySchema, input: Input, around: Surroundings = {}): Promise<Values> {
    const { fixed, current } = around
    const rules = this.#catalog.rulesOf(schema, { ...current, ...input.values })
    const typed = input.form ? inferForm(schema, rules, input.values) : input.values
    const values = { ...typed, ...fixed }
    const resolved = await Promise.all(
      fieldsOf(schema.fields)
        .filter(([name, field]) => field.type === 'foreign' && isRecord(values[name]))
        .map(async ([name, field]) => [name, await this.#resolve(name, field, values[name] as Values)] as const),
    )
    return { ...values, ...Object.fromEntries(resolved) }
  }

  /** `{ name: 'shop' }` → `{ id: '…' }`. */
  async #resolve(name: string, field: Field, value: Values): Promise<Values> {
    if (value.id !== undefined) return { id: value.id }
    const schema = this.#catalog.kinds.find((kind) => kind.name === field.reference)
    const by = schema?.endpoint_key
    const text = by === undefined ? undefined : value[by]
    if (schema === undefined || by === undefined || typeof text !== 'string') return value
    const parent = await this.#get(schema, { field: by, value: text })
    if (parent === undefined) throw foreignKeyUnresolved(name, { name: by, value: text, parent: schema.name })
    return { id: parent.id }
  }

  async #list(
    path: string,
    schema: EntitySchema,
    options: Pick<Call, 'query'> & { readonly parent?: { readonly field: string; readonly id: string } },
  ) {
    const { query, parent } = options
    const page = await this.#store.page(schema.name, { ...pageOptions(query, parent === undefined), parent })
    const data = page.entities.map((entity) => present(this.#catalog, schema, entity))
    return listAnswer(path, { data, next: page.next }, query)
  }

  async #create(schema: EntitySchema, input: Input, fixed: Values = {}): Promise<Entity> {
    const values = await this.valuesOf(schema, input, { fixed })
    const entity = await this.#store.insert(schema.name, prepareInsert(this.#catalog, schema, values))
    return present(this.#catalog, schema, entity)
  }

  async #replace(schema: EntitySchema, target: Target, input: Input): Promise<Entity> {
    const { key, existing } = target
    const by = isUuid(key) || schema.endpoint_key === undefined ? undefined : { field: schema.endpoint_key, value: key }
    const id = existing?.id ?? (isUuid(key) ? key : undefined)
    const identity = { ...(by && { [by.field]: by.value }), ...(id !== undefined && { id }) }
    const values = await this.valuesOf(schema, input, { fixed: { ...target.fixed, ...identity } })
    const entity = await this.#store.upsert(schema.name, prepareInsert(this.#catalog, schema, values), by)
    return present(this.#catalog, schema, entity)
  }

  async #change(schema: EntitySchema, existing: Entity, input: Input): Promise<Entity> {
    const values = await this.valuesOf(schema, input, { current: existing })
    const entity = await this.#store.update(schema.name, String(existing.id), (current) =>
      prepareUpdate(this.#catalog, schema, { current, input: values }),
    )
    if (entity === undefined) throw notFound()
    return present(this.#catalog, schema, entity)
  }

  async #find(schema: EntitySchema, key: string): Promise<Entity> {
    const entity = await this.#lookUp(schema, key)
    if (entity === undefined) throw notFound()
    return entity
  }

  async #lookUp(schema: EntitySchema, key: string): Promise<Entity | undefined> {
    if (isUuid(key)) return this.#get(schema, { field: 'id', value: key })
    return schema.endpoint_key === undefined ? undefined : this.#get(schema, { field: schema.endpoint_key, value: key })
  }

  /** Some children are named only among those of their parent: `/consumers/bob/acls/staff`. */
  async #lookUpOwned(schema: EntitySchema, key: string, owned: Values): Promise<Entity | undefined> {
    const { endpoint_key = '', cache_key = [] } = schema
    if (isUuid(key) || !cache_key.includes(endpoint_key)) return this.#lookUp(schema, key)
    return this.#get(schema, cacheKeyLookup(cache_key, { ...owned, [endpoint_key]: key }))
  }

  /** NUL is in no stored text, and PostgreSQL refuses to be asked for it. */
  async #get(schema: EntitySchema, by: EntityLookup): Promise<Entity | undefined> {
    return by.value.includes('\0') ? undefined : this.#store.get(schema.name, by)
  }
}

function isOwned(entity: Entity, owned: Values): boolean {
  return Object.entries(owned).every(([field, value]) => {
    const reference = entity[field]
    return isRecord(reference) && isRecord(value) && reference.id === value.id
  })
}
