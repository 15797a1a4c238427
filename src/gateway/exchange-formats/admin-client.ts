import { type Catalog, fieldsOf, nestedSegmentOf, segmentOf } from '../config/catalog.ts'
import type { Entity } from '../config/entities.ts'
import { PAGE_SIZE_MAX } from '../config/limits.ts'
import type { EntitySchema, PluginDescription, PluginSchema } from '../config/schema.ts'
import { isRecord } from '../config/values.ts'
import type { Entities } from '../declarative/declaration.ts'
import { gatewayError } from '../errors.ts'

/** Where an Admin API is. */
export type AdminAddress = {
  /** Without a trailing slash. */
  readonly url: string
  readonly token?: string | undefined
}

type Reply = { readonly status: number; readonly body: Readonly<Record<string, unknown>> }

/**
 * Reads and writes a configuration through a running Admin API, wherever its gateway keeps it. Throws
 * GATEWAY_ADMIN_UNREACHABLE without an answer, GATEWAY_ADMIN_REFUSED with the API's own message for a wrong one.
 */
export class AdminClient {
  readonly #address: AdminAddress
  readonly #catalog: Catalog

  constructor(address: AdminAddress, catalog: Catalog) {
    this.#address = address
    this.#catalog = catalog
  }

  /** Every entity of every kind, parents before children. */
  async read(): Promise<Entities> {
    const entities = new Map<string, readonly Entity[]>()
    for (const schema of this.#catalog.kinds) entities.set(schema.name, await this.#readKind(schema, entities))
    return entities
  }

  /** Plugins that the gateway has and the catalog does not. */
  async furtherPlugins(): Promise<readonly PluginDescription[]> {
    const { status, body } = await this.#ask('GET', '/')
    if (status !== 200) throw refused('/', { status, body })
    const available = isRecord(body.plugins) ? body.plugins.available_on_server : undefined
    const unknown = Object.entries(isRecord(available) ? available : {}).filter(
      ([name]) => !this.#catalog.plugins.has(name),
    )
    return Promise.all(unknown.map(([name, about]) => this.#describePlugin(name, isRecord(about) ? about : {})))
  }

  async #describePlugin(name: string, about: Readonly<Record<string, unknown>>): Promise<PluginDescription> {
    const reply = await this.#ask('GET', `/schemas/plugins/${encodeURIComponent(name)}`)
    if (reply.status !== 200) throw refused(`the schema of ${name}`, reply)
    // What functions check is not in it: the gateway itself does, when the plugin is written.
    const schema = { name, ...reply.body } as PluginSchema
    return { name, version: String(about.version), priority: Number(about.priority), schema }
  }

  /** Creates the entity, or replaces the one with its id. */
  async write(schema: EntitySchema, entity: Entity): Promise<void> {
    const { created_at: _, updated_at: __, ...body } = entity
    const owner = ownerOf(schema)
    // Through the parent where there is one: some kinds, such as targets, are nowhere else.
    const list =
      owner === undefined ? `/${segmentOf(schema)}` : this.#nestedPath(schema, owner, idIn(entity, owner.field))
    const put = await this.#ask('PUT', `${list}/${String(entity.id)}`, body)
    // Kong's PUT of a target changes what is there, and creates nothing.
    const reply = put.status === 404 ? await this.#ask('POST', list, body) : put
    if (reply.status >= 300) throw refused(`${schema.name} ${String(entity.id)}`, reply)
  }

  async #readKind(schema: EntitySchema, read: Entities): Promise<readonly Entity[]> {
    const flat = await this.#readList(`/${segmentOf(schema)}`)
    if (flat !== undefined) return flat
    const owner = ownerOf(schema)
    if (owner === undefined) return []
    const lists: Entity[] = []
    for (const parent of read.get(owner.kind) ?? []) {
      lists.push(...((await this.#readList(this.#nestedPath(schema, owner, String(parent.id)))) ?? []))
    }
    return lists
  }

  /** Undefined when there is no such list. */
  async #readList(path: string): Promise<readonly Entity[] | undefined> {
    const entities: Entity[] = []
    let offset: string | undefined
    do {
      const query = new URLSearchParams({ size: String(PAGE_SIZE_MAX), ...(offset && { offset }) })
      const reply = await this.#ask('GET', `${path}?${query}`)
      if (reply.status === 404) return undefined
      if (reply.status !== 200) throw refused(path, reply)
      entities.push(...(reply.body.data as Entity[]))
      offset = reply.body.offset as string | undefined
    } while (offset !== undefined)
    return entities
  }

  #nestedPath(schema: EntitySchema, owner: Owner, parentId: string): string {
    return `/${segmentOf(this.#catalog.kind(owner.kind))}/${parentId}/${nestedSegmentOf(schema)}`
  }

  async #ask(method: string, path: string, body?: Entity): Promise<Reply> {
    const { url, token } = this.#address
    const headers = { ...(body && { 'Content-Type': 'application/json' }), ...(token && { 'Kong-Admin-Token': token }) }
    try {
      // The token is for this address: a redirection would take it to another.
      const options = { method, headers, redirect: 'manual', ...(body && { body: JSON.stringify(body) }) } as const
      const response = await fetch(url + path, options)
      const text = await response.text()
      const value: unknown = text === '' ? {} : JSON.parse(text)
      return { status: response.status, body: isRecord(value) ? value : {} }
    } catch (cause) {
      throw gatewayError('GATEWAY_ADMIN_UNREACHABLE', `no Admin API answers at ${url}`, { cause })
    }
  }
}

type Owner = { readonly field: string; readonly kind: string }

/** Whom an entity belongs to, when it cannot be without. */
function ownerOf(schema: EntitySchema): Owner | undefined {
  const found = fieldsOf(schema.fields).find(([, field]) => field.type === 'foreign' && field.required)
  return found && { field: found[0], kind: found[1].reference ?? '' }
}

function idIn(entity: Entity, field: string): string {
  const reference = entity[field]
  return isRecord(reference) ? String(reference.id) : ''
}

const refused = (what: string, { status, body }: Reply) =>
  gatewayError('GATEWAY_ADMIN_REFUSED', `the Admin API answered ${status} for ${what}: ${reasonOf(body)}`)

/** Of a value that another entity has, which may be a key, only whose it is: what commands print is often kept. */
function reasonOf({ code, message, fields }: Reply['body']): string {
  if (code !== UNIQUE_VIOLATION) return String(message)
  return `another entity has the same ${Object.keys(isRecord(fields) ? fields : {}).join(', ')}`
}

const UNIQUE_VIOLATION = 5
