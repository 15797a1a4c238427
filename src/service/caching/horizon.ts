import type { Horizon } from '../../cache/index.ts'
import type { Shard } from '../../data/index.ts'

/**
 * SQL for the name of this run of the server: another after a restart, a failover, a restore, and the crash recovery
 * that follows the death of one backend. A transaction id that the disk had not seen yet may be given out again then.
 */
export const INCARNATION = `
  extract(epoch FROM pg_postmaster_start_time())::text || '/' ||
  coalesce(extract(epoch FROM (SELECT stats_reset FROM pg_stat_wal))::text, '')`

const HORIZON = `
  SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS "asOf", ${INCARNATION} AS incarnation`

/**
 * How far whoever reads the shard from now on will see at the least. Every transaction below it has ended, and what has
 * ended is in every later snapshot; so it need not be taken in the snapshot of the data, only before it.
 */
export async function readHorizon(shard: Shard): Promise<Horizon> {
  const [row] = await shard.query<{ asOf: string; incarnation: string }>(HORIZON)
  if (row === undefined) throw new Error(`shard ${shard.index} answered the question for its snapshot with no row`)
  return { shard: shard.index, incarnation: row.incarnation, asOf: Number(row.asOf) }
}
