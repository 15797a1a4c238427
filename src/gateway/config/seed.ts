import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Transaction } from '../../data/index.ts'
import type { Catalog } from './catalog.ts'
import type { Entity } from './entities.ts'
import { selectEntity, writeEntity } from './entity-rows.ts'
import { prepareInsert, randomKey } from './prepare.ts'
import type { EntitySchema } from './schema.ts'

type Values = Readonly<Record<string, unknown>>

/**
 * What the application declares, in Kong's field names; parents are named by name: `{ name: 'key-auth', route:
 * 'orders' }`. Fields left out have Kong's defaults.
 */
export type GatewaySeed = {
  readonly services?: readonly (Values & { readonly name: string })[]
  readonly routes?: readonly (Values & { readonly name: string; readonly service: string })[]
  readonly consumers?: readonly (Values & { readonly username: string })[]
  readonly plugins?: readonly SeedPlugin[]
}

export type SeedPlugin = Values & {
  readonly name: string
  readonly service?: string
  readonly route?: string
  readonly consumer?: string
}

type SeedWrite = { readonly catalog: Catalog; readonly version: number; readonly declared: GatewaySeed }

/**
 * Brings the declared entities into the configuration, at every start. Idempotent. The operator wins:
 * - an entity that was never seeded is added, under an id that follows from its name;
 * - unless its name (or a plugin's scope) is already taken: then the operator's stays, and is never touched;
 * - one that the operator changed stays as it is, one that the operator deleted stays deleted;
 * - one that nobody touched follows its declaration when that changes;
 * - one that is no longer declared stays: two releases may start in turns while one replaces the other.
 * A consumer gets a random key when it is first added. A plugin or route whose parent is gone is left out.
 */
export async function writeSeed(tx: Transaction, write: SeedWrite): Promise<void> {
  const { services = [], routes = [], consumers = [], plugins = [] } = write.declared
  for (const values of services) await seedOne(tx, write, { kind: 'services', name: values.name, values })
  for (const values of routes) await seedOne(tx, write, { kind: 'routes', name: values.name, values })
  for (const values of consumers) {
    const added = await seedOne(tx, write, { kind: 'consumers', name: values.username, values })
    if (added !== undefined) await addKey(tx, write, added)
  }
  for (const values of plugins) {
    const scope = [values.service, values.route, values.consumer].map((name) => name ?? '').join('/')
    await seedOne(tx, write, { kind: 'plugins', name: `${values.name}@${scope}`, values })
  }
}

type Declaration = { readonly kind: string; readonly name: string; readonly values: Values }

/** Answers the entity when this call added it. */
async function seedOne(tx: Transaction, write: SeedWrite, seed: Declaration): Promise<Entity | undefined> {
  const { kind, name, values } = seed
  const schema = write.catalog.kind(kind)
  const id = seedId(kind, name)
  const rows = await tx.query<{ declared: Values; written: Entity }>(
    `SELECT declared, written FROM gateway.seeds WHERE kind = $1 AND id = $2::uuid`,
    [kind, id],
  )
  const before = rows[0]
  if (before !== undefined && isDeepStrictEqual(plain(before.declared), plain(values))) return undefined
  const current = await selectEntity(tx, kind, { field: 'id', value: id })
  if (before !== undefined && !isDeepStrictEqual(current, before.written)) return undefined
  const input = await withParents(tx, schema, values)
  if (input === undefined) return undefined
  const entity = prepareInsert(write.catalog, schema, { ...input, id, ...kept(current) })
  if (before === undefined && (current !== undefined || (await isTaken(tx, schema, entity)))) return undefined
  await writeEntity(tx, { catalog: write.catalog, schema, version: write.version, entity }, true)
  await tx.query(
    `INSERT INTO gateway.seeds (kind, id, declared, written) VALUES ($1, $2::uuid, $3::jsonb, $4::jsonb)
     ON CONFLICT (kind, id) DO UPDATE SET declared = EXCLUDED.declared, written = EXCLUDED.written`,
    [kind, id, JSON.stringify(values), JSON.stringify(entity)],
  )
  return before === undefined ? entity : undefined
}

/** Replaces the names of parents by their ids; undefined when a parent is not there. */
async function withParents(tx: Transaction, schema: EntitySchema, values: Values): Promise<Values | undefined> {
  const output: Record<string, unknown> = { ...values }
  for (const [field, kind, by] of [
    ['service', 'services', 'name'],
    ['route', 'routes', 'name'],
    ['consumer', 'consumers', 'username'],
  ] as const) {
    const value = values[field]
    if (typeof value !== 'string' || schema.name === kind) continue
    const parent = await selectEntity(tx, kind, { field: by, value })
    if (parent === undefined) return undefined
    output[field] = { id: parent.id }
  }
  return output
}

async function isTaken(tx: Transaction, schema: EntitySchema, entity: Entity): Promise<boolean> {
  const key = schema.endpoint_key
  const value = key === undefined ? undefined : entity[key]
  if (key !== undefined && typeof value === 'string') {
    return (await selectEntity(tx, schema.name, { field: key, value })) !== undefined
  }
  if (schema.cache_key === undefined) return false
  const same = await tx.query(`SELECT FROM gateway.entities WHERE kind = $1 AND body @> $2::jsonb LIMIT 1`, [
    schema.name,
    JSON.stringify(Object.fromEntries(schema.cache_key.map((field) => [field, entity[field] ?? null]))),
  ])
  return same.length > 0
}

async function addKey(tx: Transaction, write: SeedWrite, consumer: Entity): Promise<void> {
  const schema = write.catalog.kind('keyauth_credentials')
  const entity = prepareInsert(write.catalog, schema, { consumer: { id: consumer.id }, key: randomKey() })
  await writeEntity(tx, { catalog: write.catalog, schema, version: write.version, entity }, true)
}

const NAMESPACE = Buffer.from('5b9c2d0e8f514c0f9d3a7a1e6c4b2f80', 'hex')

/** UUIDv5 of a kind and a name: the same in every process and release. Source: RFC 9562, section 5.5. */
export function seedId(kind: string, name: string): string {
  const hash = createHash('sha1').update(NAMESPACE).update(`${kind}:${name}`).digest().subarray(0, 16)
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6)
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8)
  return hash.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

const kept = (current: Entity | undefined) => (current === undefined ? {} : { created_at: current.created_at })

const plain = (value: Values): unknown => JSON.parse(JSON.stringify(value))
