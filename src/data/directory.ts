import { randomUUID } from 'node:crypto'
import { BUCKET_COUNT } from '../core/index.ts'
import { bucketDirectoryStriped } from './bucket.ts'
import type { Queryable, Shard } from './database.ts'
import { dataError } from './errors.ts'

/** Which shard has which bucket, as of an epoch: every change of the directory raises it. */
export type ShardDirectory = { readonly epoch: number; readonly shardOf: readonly number[] }

type Identity = { readonly cluster_id: string; readonly shard: number; readonly shards: number }

/**
 * Makes fresh databases shards of one cluster, with a striped directory, and refuses databases that are shards of another
 * cluster, in another order or another number. Safe to repeat, also after a crash in the middle: the home shard's identity
 * is written last and decides.
 */
export async function claimShards(shards: readonly Shard[]): Promise<void> {
  const identities = await Promise.all(shards.map(identityOf))
  const home = identities[0]
  for (const [index, identity] of identities.entries()) refuseStranger({ identity, index, home, shards })
  if (home !== undefined) {
    const unclaimed = shards.filter((_, index) => identities[index] === undefined)
    if (unclaimed.length === 0) return
    const names = unclaimed.map((shard) => `shard ${shard.index} (${shard.label})`).join(', ')
    throw dataError(
      'DATA_SHARDS_MISMATCH',
      `${names} is empty, but the cluster of shard 0 has been in use: restore it, or fix the URL`,
    )
  }
  const known = identities.find((identity) => identity !== undefined)
  const clusterId = known?.cluster_id ?? randomUUID()
  for (const shard of [...shards].reverse()) await claimShard(shard, { clusterId, shards: shards.length })
}

async function identityOf(shard: Shard): Promise<Identity | undefined> {
  const rows = await shard.query<Identity>(`SELECT cluster_id, shard, shards FROM groundswell.shard_identity`)
  return rows[0]
}

type Suspect = {
  readonly identity: Identity | undefined
  readonly index: number
  readonly home: Identity | undefined
  readonly shards: readonly Shard[]
}

function refuseStranger({ identity, index, home, shards }: Suspect): void {
  if (identity === undefined) return
  const where = `shard ${index} (${shards[index]?.label})`
  if (identity.shards !== shards.length) {
    throw dataError(
      'DATA_SHARDS_MISMATCH',
      `${where} belongs to a cluster of ${identity.shards} shards, but ${shards.length} were given`,
    )
  }
  if (identity.shard !== index) {
    throw dataError(
      'DATA_SHARDS_MISMATCH',
      `${where} is shard ${identity.shard} of its cluster: give the URLs in the order of the shards`,
    )
  }
  if (home !== undefined && identity.cluster_id !== home.cluster_id) {
    throw dataError('DATA_SHARDS_MISMATCH', `${where} belongs to another cluster than shard 0 (${shards[0]?.label})`)
  }
}

async function claimShard(shard: Shard, cluster: { clusterId: string; shards: number }): Promise<void> {
  await shard.transaction(async (tx) => {
    const striped = bucketDirectoryStriped(cluster.shards)
    const states = striped.map((owner) => (owner === shard.index ? 'owned' : 'absent'))
    await tx.query(
      `INSERT INTO groundswell.shard_bucket (bucket, state)
       SELECT position - 1, state FROM unnest($1::text[]) WITH ORDINALITY AS given(state, position) ON CONFLICT DO NOTHING`,
      [states],
    )
    if (shard.index === 0) {
      await tx.query(
        `INSERT INTO groundswell.bucket_directory (bucket, shard)
         SELECT position - 1, shard FROM unnest($1::smallint[]) WITH ORDINALITY AS given(shard, position)`,
        [striped],
      )
      await tx.query(`INSERT INTO groundswell.directory_epoch (epoch) VALUES (1)`)
    }
    await tx.query(
      `INSERT INTO groundswell.shard_identity (cluster_id, shard, shards) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
      [cluster.clusterId, shard.index, cluster.shards],
    )
  })
}

/** Reads the directory from the home shard. Throws DATA_SHARDS_MISMATCH when it is incomplete or names a shard that is not there. */
export async function readDirectory(home: Queryable, shards: number): Promise<ShardDirectory> {
  const rows = await home.query<{ epoch: number; shards_of: number[] }>(
    `SELECT (SELECT epoch FROM groundswell.directory_epoch) AS epoch, array_agg(shard ORDER BY bucket) AS shards_of
     FROM groundswell.bucket_directory`,
  )
  const shardOf = rows[0]?.shards_of ?? []
  const stranger = shardOf.find((shard) => shard >= shards)
  if (shardOf.length !== BUCKET_COUNT || stranger !== undefined) {
    const problem =
      stranger === undefined ? `has ${shardOf.length} of ${BUCKET_COUNT} buckets` : `names shard ${stranger}`
    throw dataError('DATA_SHARDS_MISMATCH', `the shard directory ${problem}, and ${shards} shards were given`)
  }
  return { epoch: rows[0]?.epoch ?? 0, shardOf }
}
