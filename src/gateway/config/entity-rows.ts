import { createHash } from 'node:crypto'
import type { Queryable, Transaction } from '../../data/index.ts'
import {
  authorityInUse,
  foreignKeyMissing,
  primaryKeyViolation,
  stillReferenced,
  uniqueViolation,
} from './api-error.ts'
import { type Catalog, fieldsOf } from './catalog.ts'
import type { ConfigPage, Entity, EntityLookup, PageOptions } from './entities.ts'
import { DELETIONS_KEPT } from './limits.ts'
import type { EntitySchema } from './schema.ts'
import { isRecord } from './values.ts'

/**
 * Entities as rows. A write holds the lock of `config_version` from its first statement to its commit, so that what it
 * checks still holds when it writes; the constraints of the tables stand behind that.
 */
const CACHE_KEY = '@cache_key'

/** Where committed versions are announced. */
export const CONFIG_CHANNEL = 'groundswell_gateway'

/** Waits for its turn to write and answers the version that this transaction becomes. Must come first. */
export async function beginWrite(tx: Transaction): Promise<number> {
  const rows = await tx.query<{ version: number }>(
    `UPDATE gateway.config_version SET version = version + 1 RETURNING version`,
  )
  const version = Number(rows[0]?.version)
  await tx.query(`SELECT pg_notify($1::text, $2::text)`, [CONFIG_CHANNEL, String(version)])
  return version
}

export async function selectEntity(db: Queryable, kind: string, by: EntityLookup): Promise<Entity | undefined> {
  const rows =
    by.field === 'id'
      ? await db.query<{ body: Entity }>(`SELECT body FROM gateway.entities WHERE kind = $1 AND id = $2::uuid`, [
          kind,
          by.value,
        ])
      : await db.query<{ body: Entity }>(
          `SELECT e.body FROM gateway.unique_values u JOIN gateway.entities e USING (kind, id)
           WHERE u.kind = $1 AND u.field = $2 AND u.value = $3`,
          [kind, by.field, indexed(by.value)],
        )
  return rows[0]?.body
}

/** One page by id. Reads one row more than asked for to know whether there is a next page. */
export async function selectPage(db: Queryable, kind: string, options: PageOptions): Promise<ConfigPage> {
  const { size, after, parent, tags } = options
  const rows = await db.query<{ body: Entity }>(
    `SELECT e.body FROM gateway.entities e
     WHERE e.kind = $1
       AND ($2::uuid IS NULL OR e.id > $2::uuid)
       AND ($3::text IS NULL OR EXISTS (
         SELECT FROM gateway.entity_references r
         WHERE r.kind = e.kind AND r.id = e.id AND r.field = $3 AND r.parent_id = $4::uuid))
       AND ($5::text[] IS NULL OR CASE WHEN $6::boolean THEN e.body->'tags' ?& $5 ELSE e.body->'tags' ?| $5 END)
     ORDER BY e.id LIMIT $7::int`,
    [
      kind,
      after ?? null,
      parent?.field ?? null,
      parent?.id ?? null,
      tags?.values ?? null,
      tags?.match !== 'any',
      size + 1,
    ],
  )
  const entities = rows.slice(0, size).map((row) => row.body)
  return { entities, next: rows.length > size ? (entities.at(-1)?.id as string) : undefined }
}

export type RowWrite = {
  readonly catalog: Catalog
  readonly schema: EntitySchema
  readonly version: number
  readonly entity: Entity
}

/**
 * Inserts the entity, or replaces the one with its id when `replace` is set. Throws an `ApiError` when the data
 * forbids it.
 */
export async function writeEntity(tx: Transaction, write: RowWrite, replace: boolean): Promise<void> {
  const { schema, entity, version } = write
  await assertParentsExist(tx, schema, entity)
  const rows = await tx.query(
    replace
      ? `INSERT INTO gateway.entities (kind, id, body, version) VALUES ($1, $2::uuid, $3::jsonb, $4::bigint)
         ON CONFLICT (kind, id) DO UPDATE SET body = EXCLUDED.body, version = EXCLUDED.version RETURNING id`
      : `INSERT INTO gateway.entities (kind, id, body, version) VALUES ($1, $2::uuid, $3::jsonb, $4::bigint)
         ON CONFLICT (kind, id) DO NOTHING RETURNING id`,
    [schema.name, entity.id, JSON.stringify(entity), version],
  )
  if (rows.length === 0) throw primaryKeyViolation(String(entity.id))
  await writeUniqueValues(tx, schema, entity)
  await writeReferences(tx, schema, entity)
}

/**
 * Deletes the entity and what cascades from it; false when it is not there. Throws when something else refers to it.
 */
export async function deleteEntity(tx: Transaction, write: Omit<RowWrite, 'entity'>, id: string): Promise<boolean> {
  const { catalog, schema, version } = write
  if (schema.name === 'ca_certificates') await assertNotBelieved(tx, id)
  for (const child of catalog.childrenOf(schema.name)) {
    const rows = await tx.query<{ id: string }>(
      `SELECT id::text FROM gateway.entity_references
       WHERE parent_kind = $1 AND parent_id = $2::uuid AND kind = $3 AND field = $4`,
      [schema.name, id, child.schema.name, child.field],
    )
    if (rows.length > 0 && !child.cascades) throw stillReferenced(schema.name, child.schema.name)
    for (const row of rows) await deleteEntity(tx, { catalog, schema: child.schema, version }, row.id)
  }
  const deleted = await tx.query(`DELETE FROM gateway.entities WHERE kind = $1 AND id = $2::uuid RETURNING id`, [
    schema.name,
    id,
  ])
  if (deleted.length === 0) return false
  await tx.query(`INSERT INTO gateway.deletions (version, kind, id) VALUES ($1::bigint, $2, $3::uuid)`, [
    version,
    schema.name,
    id,
  ])
  await tx.query(`DELETE FROM gateway.deletions WHERE version < $1::bigint`, [version - DELETIONS_KEPT])
  return true
}

/** Services list the authorities that they believe: one that is gone would leave them without any. */
async function assertNotBelieved(tx: Transaction, id: string): Promise<void> {
  const [service] = await tx.query<{ id: string }>(
    `SELECT id::text FROM gateway.entities WHERE kind = 'services' AND body->'ca_certificates' ? $1::text LIMIT 1`,
    [id],
  )
  if (service !== undefined) throw authorityInUse(id, service.id)
}

export type ChangeRow = { readonly kind: string; readonly id: string; readonly body: Entity | null }

/**
 * What changed after `since` up to the answered version, in one statement and so in one state; null bodies are
 * deletions.
 */
export async function selectChanges(db: Queryable, since: number): Promise<{ version: number; changes: ChangeRow[] }> {
  const rows = await db.query<{ version: number; kind: string | null; id: string; body: Entity | null }>(
    `SELECT v.version, c.kind, c.id, c.body FROM gateway.config_version v LEFT JOIN (
       SELECT kind, id::text, body, version FROM gateway.entities WHERE version > $1::bigint
       UNION ALL
       SELECT kind, id::text, NULL, version FROM gateway.deletions WHERE version > $1::bigint
     ) c ON true ORDER BY c.version`,
    [since],
  )
  const changes = rows.flatMap((row) => (row.kind === null ? [] : [{ kind: row.kind, id: row.id, body: row.body }]))
  return { version: Number(rows[0]?.version ?? 0), changes }
}

export async function selectVersion(db: Queryable): Promise<number> {
  const rows = await db.query<{ version: number }>(`SELECT version FROM gateway.config_version`)
  return Number(rows[0]?.version ?? 0)
}

/** Long values are kept as their hash, since an index row holds some 2,700 bytes. */
function indexed(value: string): string {
  return value.length <= 500 ? value : `sha256:${createHash('sha256').update(value).digest('hex')}`
}

type ForeignValue = { readonly field: string; readonly parent: string; readonly id: string }

function foreignValues(schema: EntitySchema, entity: Entity): ForeignValue[] {
  return fieldsOf(schema.fields).flatMap(([field, { type, reference = '' }]) => {
    const value = entity[field]
    return type === 'foreign' && isRecord(value) ? [{ field, parent: reference, id: String(value.id) }] : []
  })
}

async function assertParentsExist(tx: Transaction, schema: EntitySchema, entity: Entity): Promise<void> {
  for (const { field, parent, id } of foreignValues(schema, entity)) {
    const found = await selectEntity(tx, parent, { field: 'id', value: id })
    if (found === undefined) throw foreignKeyMissing(field, id, parent)
  }
}

async function writeReferences(tx: Transaction, schema: EntitySchema, entity: Entity): Promise<void> {
  const values = foreignValues(schema, entity)
  await tx.query(`DELETE FROM gateway.entity_references WHERE kind = $1 AND id = $2::uuid`, [schema.name, entity.id])
  if (values.length === 0) return
  await tx.query(
    `INSERT INTO gateway.entity_references (kind, id, field, parent_kind, parent_id)
     SELECT $1, $2::uuid, v.field, v.parent, v.id
     FROM unnest($3::text[], $4::text[], $5::uuid[]) AS v (field, parent, id)`,
    [
      schema.name,
      entity.id,
      values.map((value) => value.field),
      values.map((value) => value.parent),
      values.map((value) => value.id),
    ],
  )
}

type UniqueValue = { readonly field: string; readonly value: string; readonly shown: Readonly<Record<string, unknown>> }

async function writeUniqueValues(tx: Transaction, schema: EntitySchema, entity: Entity): Promise<void> {
  const values = uniqueValues(schema, entity)
  await tx.query(`DELETE FROM gateway.unique_values WHERE kind = $1 AND id = $2::uuid`, [schema.name, entity.id])
  const taken = await tx.query<{ field: string }>(
    `INSERT INTO gateway.unique_values (kind, field, value, id)
     SELECT $1, v.field, v.value, $2::uuid FROM unnest($3::text[], $4::text[]) AS v (field, value)
     ON CONFLICT DO NOTHING RETURNING field`,
    [schema.name, entity.id, values.map((value) => value.field), values.map((value) => value.value)],
  )
  const written = new Set(taken.map((row) => row.field))
  const violated = values.find((value) => !written.has(value.field))
  if (violated !== undefined) throw uniqueViolation(violated.shown)
}

function uniqueValues(schema: EntitySchema, entity: Entity): UniqueValue[] {
  const values = fieldsOf(schema.fields).flatMap(([field, { unique }]): UniqueValue[] => {
    const value = entity[field]
    return unique && value !== null && value !== undefined
      ? [{ field, value: indexed(String(value)), shown: { [field]: value } }]
      : []
  })
  if (schema.cache_key === undefined) return values
  const shown = Object.fromEntries(schema.cache_key.map((field) => [field, entity[field] ?? null]))
  const { field, value } = cacheKeyLookup(schema.cache_key, entity)
  return [...values, { field, value: indexed(value), shown }]
}

/** How to find the entity of which these fields together are the key: `{ consumer: { id: '…' }, group: 'staff' }`. */
export function cacheKeyLookup(cacheKey: readonly string[], entity: Entity): EntityLookup {
  const key = cacheKey.map((name) => {
    const value = entity[name] ?? null
    return isRecord(value) ? value.id : value
  })
  return { field: CACHE_KEY, value: JSON.stringify(key) }
}
