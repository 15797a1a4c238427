import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { messageOf } from '../core/index.ts'
import type { Cluster, MigrationSet, Shard, Transaction } from '../data/index.ts'
import { serviceError } from './errors.ts'
import { PURGE_ROWS_MAX, PURGE_STATEMENTS_MAX } from './limits.ts'

/**
 * Idempotency keys: a client that repeats a write under its key gets the first answer again, and the write happens
 * once. The key is claimed in the write's own transaction, so there is never a key without its effect nor an effect
 * without its key. Source: IETF draft-ietf-httpapi-idempotency-key-header.
 */
export type IdempotencyClaim = {
  /** Bucket of the row that the write makes: the key lives on the same shard. */
  readonly bucket: number
  /** Whose key it is, e.g. `orders:123`: keys of two users never meet. */
  readonly scope: string
  readonly key: string
  /** From {@link fingerprintOf}. */
  readonly fingerprint: string
  /** What to answer, now and to repetitions: anything that JSON can hold. */
  readonly response: unknown
}

export type IdempotencyOutcome =
  | { readonly outcome: 'claimed' }
  | { readonly outcome: 'replay'; readonly response: unknown }
  | { readonly outcome: 'mismatch' }

export const serviceMigrations: MigrationSet = {
  owner: 'groundswell.service',
  folder: new URL('./migrations/', import.meta.url),
  placement: 'sharded',
}

/**
 * Claims keys, in one statement for the batch and a second one for those that were taken. A key that another
 * transaction is claiming right now makes it wait for that one's end. Answers in the order of the claims; a key that
 * occurs twice in the batch is claimed by its first claim.
 */
export async function claimIdempotencyKeys(
  tx: Transaction,
  claims: readonly IdempotencyClaim[],
): Promise<readonly IdempotencyOutcome[]> {
  if (claims.length === 0) return []
  const firsts = new Map<string, IdempotencyClaim>()
  for (const claim of claims) if (!firsts.has(identityOf(claim))) firsts.set(identityOf(claim), claim)
  // In one order everywhere, so that two transactions never wait for each other.
  const sorted = [...firsts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, claim]) => claim)
  const claimed = new Set((await insertClaims(tx, sorted)).map(identityOf))
  const taken = sorted.filter((claim) => !claimed.has(identityOf(claim)))
  const stored = new Map((await readClaims(tx, taken)).map((row) => [identityOf(row), row]))
  return claims.map((claim) => {
    const identity = identityOf(claim)
    const first = firsts.get(identity)
    if (first === claim && claimed.has(identity)) return { outcome: 'claimed' }
    const known = stored.get(identity) ?? (claimed.has(identity) ? first : undefined)
    if (known === undefined) throw serviceError('SERVICE_IDEMPOTENCY_KEY_EXPIRED', `key "${claim.key}" just expired`)
    return known.fingerprint === claim.fingerprint
      ? { outcome: 'replay', response: known.response }
      : { outcome: 'mismatch' }
  })
}

/**
 * Deletes keys older than `olderThanMs` on every shard, a bounded number a statement and a bounded number in all; the
 * next call goes on. Returns how many. One shard that fails does not keep the others from theirs: then an
 * AggregateError of all failures is thrown, once all are done.
 */
export async function purgeIdempotencyKeys(cluster: Cluster, olderThanMs: number): Promise<number> {
  const outcomes = await Promise.allSettled(cluster.shards.map((shard) => purgeShard(shard, olderThanMs)))
  const deleted = outcomes.reduce((sum, outcome) => sum + (outcome.status === 'fulfilled' ? outcome.value : 0), 0)
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []))
  if (failures.length === 0) return deleted
  const reasons = failures.map(messageOf).join('; ')
  throw new AggregateError(failures, `${failures.length} of ${outcomes.length} shards were not purged: ${reasons}`)
}

async function purgeShard(shard: Shard, olderThanMs: number): Promise<number> {
  let deleted = 0
  for (let statement = 0; statement < PURGE_STATEMENTS_MAX; statement++) {
    const rows = await shard.query(PURGE, [olderThanMs, PURGE_ROWS_MAX])
    deleted += rows.length
    if (rows.length < PURGE_ROWS_MAX) break
  }
  return deleted
}

/** The same for equal bodies, whatever the order of their members; different for different ones. No body is one too. */
export function fingerprintOf(body: unknown): string {
  return createHash('sha256')
    .update(canonicalJson(body) ?? '')
    .digest('base64url')
}

/** The request's Idempotency-Key, if it has one. Throws SERVICE_IDEMPOTENCY_KEY_INVALID. */
export function idempotencyKeyOf(headers: IncomingHttpHeaders): string | undefined {
  const key = headers['idempotency-key']
  if (key === undefined) return undefined
  if (typeof key === 'string' && VISIBLE_ASCII.test(key)) return key
  throw serviceError('SERVICE_IDEMPOTENCY_KEY_INVALID', 'Idempotency-Key must be 1 to 255 visible ASCII characters')
}

const VISIBLE_ASCII = /^[\x21-\x7e]{1,255}$/

type ClaimRow = Omit<IdempotencyClaim, 'response'> & { readonly response: unknown }

async function insertClaims(tx: Transaction, claims: readonly IdempotencyClaim[]): Promise<readonly ClaimKey[]> {
  return tx.query<ClaimKey>(INSERT, [
    ...keyColumns(claims),
    claims.map((claim) => claim.fingerprint),
    claims.map((claim) => JSON.stringify(claim.response)),
  ])
}

/** A later statement than the insert, so that it sees what a transaction committed that the insert waited for. */
async function readClaims(tx: Transaction, claims: readonly IdempotencyClaim[]): Promise<readonly ClaimRow[]> {
  if (claims.length === 0) return []
  const rows = await tx.query<ClaimRow & { response: string }>(READ, keyColumns(claims))
  return rows.map((row) => ({ ...row, response: JSON.parse(row.response) as unknown }))
}

type ClaimKey = Pick<IdempotencyClaim, 'bucket' | 'scope' | 'key'>

function keyColumns(claims: readonly ClaimKey[]): [number[], string[], string[]] {
  return [claims.map((claim) => claim.bucket), claims.map((claim) => claim.scope), claims.map((claim) => claim.key)]
}

function identityOf({ bucket, scope, key }: ClaimKey): string {
  return `${String(bucket).padStart(4, '0')} ${scope} ${key}`
}

function canonicalJson(value: unknown): string | undefined {
  return JSON.stringify(value, (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}

const INSERT = `
  INSERT INTO groundswell.idempotency_key (bucket, scope, key, fingerprint, response)
  SELECT * FROM unnest($1::smallint[], $2::text[], $3::text[], $4::text[], $5::text[])
  ON CONFLICT (bucket, scope, key) DO NOTHING
  RETURNING bucket, scope, key`

/** LATERAL with OFFSET keeps this an index lookup per key, whatever the planner believes about the table's size. */
const READ = `
  SELECT found.* FROM unnest($1::smallint[], $2::text[], $3::text[]) AS wanted (bucket, scope, key)
  CROSS JOIN LATERAL (
    SELECT bucket, scope, key, fingerprint, response FROM groundswell.idempotency_key AS k
    WHERE k.bucket = wanted.bucket AND k.scope = wanted.scope AND k.key = wanted.key OFFSET 0) AS found`

const PURGE = `
  DELETE FROM groundswell.idempotency_key
  WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM groundswell.idempotency_key
    WHERE created_at < now() - make_interval(secs => $1::float8 / 1000) LIMIT $2::int))
  RETURNING 1`
