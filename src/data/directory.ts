import { randomUUID } from 'node:crypto'
import { BUCKET_COUNT } from '../core/index.ts'
import { bucketDirectoryStriped } from './bucket.ts'
import type { Queryable, Shard } from './database.ts'
import { dataError } from './errors.ts'

/** Which shard has which bucket, as of an epoch: every change of the directory raises it. */
export type ShardDirectory = { readonly epoch: number; readonly shardOf: readonly number[] }

/** Which shard of which cluster a database says that it is. */
type Identity = { readonly cluster_id: string; readonly shard: number; readonly shards: number }

/** Advisory lock of the process that claims the shards, on the home shard. The number has no meaning. */
const CLAIM_LOCK = 5_040_002

/**
 * Refuses databases that are shards of another cluster, in another order or another number, by DATA_SHARDS_MISMATCH.
 * Reads only. Databases that are no shards yet pass, unless shard 0 already is one: then one of its shards is missing.
 */
export async function verifyShards(shards: readonly Shard[]): Promise<void> {
  refuseStrangers(shards, await Promise.all(shards.map(identityOf)))
}

/**
 * Makes fresh databases shards of one cluster, with a striped directory. Safe to repeat, also after a crash in the
 * middle: the home shard commits last and decides. One process at a time; the others find it done.
 */
export async function claimShards(shards: readonly Shard[]): Promise<void> {
  const [home, ...others] = shards
  if (home === undefined || (await identityOf(home)) !== undefined) return verifyShards(shards)
  await home.transaction(async (tx) => {
    await tx.query('SELECT pg_advisory_xact_lock($1)', [CLAIM_LOCK])
    const identities = await Promise.all([identityOf(tx), ...others.map(identityOf)])
    refuseStrangers(shards, identities)
    if (identities[0] !== undefined) return
    const clusterId = identities.find((identity) => identity !== undefined)?.cluster_id ?? randomUUID()
    const claim = { clusterId, directory: bucketDirectoryStriped(shards.length), shards: shards.length }
    await becomeShard(tx, claim)
    await writeDirectory(tx, claim.directory)
    await claimEach(others, claim)
  })
}

/**
 * Each in a transaction inside of the one before, so that all databases are locked before the first commits: two URLs
 * that name one database are found while nothing is written. (Advisory locks are a database's own.)
 */
async function claimEach([shard, ...others]: readonly Shard[], claim: Claim): Promise<void> {
  await shard?.transaction(async (tx) => {
    const [lock] = await tx.query<{ free: boolean }>('SELECT pg_try_advisory_xact_lock($1) AS free', [CLAIM_LOCK])
    if (lock?.free !== true)
      throw mismatch(`shard ${shard.index} (${shard.label}) is the database of another shard, too: correct its URL`)
    await becomeShard(tx, claim)
    await claimEach(others, claim)
  })
}

async function identityOf(database: Queryable): Promise<Identity | undefined> {
  const [table] = await database.query<{ exists: boolean }>(
    `SELECT to_regclass('groundswell.shard_identity') IS NOT NULL AS exists`,
  )
  if (table?.exists !== true) return undefined
  const [identity] = await database.query<Identity>('SELECT cluster_id, shard, shards FROM groundswell.shard_identity')
  return identity
}

function refuseStrangers(shards: readonly Shard[], identities: readonly (Identity | undefined)[]): void {
  const home = identities[0]
  const clusterId = identities.find((identity) => identity !== undefined)?.cluster_id
  for (const [index, identity] of identities.entries()) {
    const where = `shard ${index} (${shards[index]?.label})`
    if (identity === undefined) {
      if (home === undefined) continue
      throw mismatch(`${where} is empty, but the cluster of shard 0 has been in use: restore it, or correct the URL`)
    }
    if (identity.shards !== shards.length) {
      throw mismatch(
        `${where} belongs to a cluster of ${identity.shards} shards, but ${shards.length} were given: give the URLs of all`,
      )
    }
    if (identity.shard !== index) {
      throw mismatch(`${where} is shard ${identity.shard} of its cluster: give the URLs in the order of the shards`)
    }
    if (identity.cluster_id !== clusterId)
      throw mismatch(`${where} belongs to another cluster than the shards before it: correct its URL`)
  }
}

function mismatch(message: string) {
  return dataError('DATA_SHARDS_MISMATCH', message)
}

type Claim = { readonly clusterId: string; readonly directory: readonly number[]; readonly shards: number }

async function becomeShard(tx: Queryable & { readonly shard: number }, claim: Claim): Promise<void> {
  const states = claim.directory.map((owner) => (owner === tx.shard ? 'owned' : 'absent'))
  await tx.query(
    `INSERT INTO groundswell.shard_identity (cluster_id, shard, shards) VALUES ($1, $2, $3)
     ON CONFLICT (only_row) DO NOTHING`,
    [claim.clusterId, tx.shard, claim.shards],
  )
  await tx.query(
    `INSERT INTO groundswell.shard_bucket (bucket, state)
     SELECT position - 1, state FROM unnest($1::text[]) WITH ORDINALITY AS given(state, position)
     ON CONFLICT (bucket) DO NOTHING`,
    [states],
  )
}

async function writeDirectory(tx: Queryable, directory: readonly number[]): Promise<void> {
  await tx.query(
    `INSERT INTO groundswell.bucket_directory (bucket, shard)
     SELECT position - 1, shard FROM unnest($1::smallint[]) WITH ORDINALITY AS given(shard, position)`,
    [directory],
  )
  await tx.query('INSERT INTO groundswell.directory_epoch (epoch) VALUES (1)')
}

/**
 * Reads the directory from the home shard. Throws DATA_SHARDS_MISMATCH when it is incomplete or names a shard that is
 * not there.
 */
export async function readDirectory(home: Queryable, shards: number): Promise<ShardDirectory> {
  const rows = await home.query<{ epoch: number; shards_of: number[] | null }>(
    `SELECT (SELECT epoch FROM groundswell.directory_epoch) AS epoch, array_agg(shard ORDER BY bucket) AS shards_of
     FROM groundswell.bucket_directory`,
  )
  const shardOf = rows[0]?.shards_of ?? []
  const stranger = shardOf.find((shard) => shard >= shards)
  if (shardOf.length !== BUCKET_COUNT || stranger !== undefined) {
    const problem =
      stranger === undefined ? `has ${shardOf.length} of ${BUCKET_COUNT} buckets` : `names shard ${stranger}`
    throw mismatch(`the shard directory ${problem}, and ${shards} shards were given`)
  }
  return { epoch: rows[0]?.epoch ?? 0, shardOf }
}
