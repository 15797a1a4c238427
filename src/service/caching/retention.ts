import { FENCED_TAGS_MAX } from '../../cache/index.ts'
import { messageOf } from '../../core/index.ts'
import type { Cluster, Shard } from '../../data/index.ts'
import { INVALIDATIONS_KEPT_MS, PURGE_ROWS_MAX, PURGE_STATEMENTS_MAX } from '../limits.ts'

/**
 * Keeps the table of invalidations small, on every shard: of each tag only the newest row, none older than
 * INVALIDATIONS_KEPT_MS, and no more of them than a process keeps fences. What goes without a newer row of its tag
 * raises the floor, which refuses entries that it might have refused. A bounded number of rows a call; the next goes
 * on. One shard that fails does not keep the others from theirs: then an AggregateError of all failures is thrown.
 */
export async function purgeInvalidations(cluster: Cluster): Promise<void> {
  const outcomes = await Promise.allSettled(cluster.shards.map(purgeShard))
  const failures = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []))
  if (failures.length === 0) return
  throw new AggregateError(
    failures,
    `shards whose invalidations were not purged: ${failures.map(messageOf).join('; ')}`,
  )
}

async function purgeShard(shard: Shard): Promise<void> {
  await repeat(() => shard.query(PURGE_OVERTAKEN, [PURGE_ROWS_MAX]))
  await repeat(() => shard.query(PURGE_OLD, [PURGE_ROWS_MAX, INVALIDATIONS_KEPT_MS, FENCED_TAGS_MAX]))
}

async function repeat(purge: () => Promise<readonly unknown[]>): Promise<void> {
  for (let statement = 0; statement < PURGE_STATEMENTS_MAX; statement++) {
    if ((await purge()).length < PURGE_ROWS_MAX) return
  }
}

const PURGE_OVERTAKEN = `
  DELETE FROM groundswell.cache_invalidation WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM groundswell.cache_invalidation AS old
    WHERE EXISTS (SELECT FROM groundswell.cache_invalidation AS newer WHERE newer.tag = old.tag AND newer.xid > old.xid)
    LIMIT $1::int))
  RETURNING 1`

/** One statement, so that no snapshot sees the rows gone and the floor where it was. */
const PURGE_OLD = `
  WITH gone AS (
    DELETE FROM groundswell.cache_invalidation WHERE ctid = ANY (ARRAY(
      SELECT ctid FROM groundswell.cache_invalidation
      WHERE written_at < now() - make_interval(secs => $2::float8 / 1000)
        OR xid <= (SELECT xid FROM groundswell.cache_invalidation ORDER BY xid DESC OFFSET $3::int LIMIT 1)
      LIMIT $1::int))
    RETURNING xid), raised AS (
    UPDATE groundswell.cache_floor
    SET xid = GREATEST(cache_floor.xid, (SELECT gone.xid FROM gone ORDER BY gone.xid DESC LIMIT 1))
    WHERE EXISTS (SELECT FROM gone))
  SELECT 1 FROM gone`
