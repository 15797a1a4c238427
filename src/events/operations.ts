import type { Cluster, Shard } from '../data/index.ts'
import { setPosition } from './engines/postgres-positions.ts'
import { eventsError } from './errors.ts'
import { FORWARDER } from './forwarder.ts'
import { DEAD_LETTERS_MAX } from './limits.ts'

/** How far a group is behind on one topic of one shard. */
export type Lag = {
  readonly group: string
  readonly topic: string
  readonly shard: number
  /** Next offset the group has to process. */
  readonly committed: number
  /** Next offset the log will give. */
  readonly end: number
  readonly lag: number
  /** Seconds since the oldest unprocessed event was written; 0 when there is none. */
  readonly oldestAgeSeconds: number
}

const LAG = `
SELECT p.grp AS group, p.topic, p.next_offset AS committed, coalesce(h.next_offset, 0) AS end,
  coalesce(h.next_offset, 0) - p.next_offset AS lag,
  coalesce(extract(epoch FROM clock_timestamp() - s.written_at), 0)::float8 AS "oldestAgeSeconds"
FROM groundswell.consumer_position AS p
LEFT JOIN groundswell.log_head AS h ON h.topic = p.topic
LEFT JOIN LATERAL (
  SELECT written_at FROM groundswell.log_segment AS l
  WHERE l.topic = p.topic AND l.last_offset >= p.next_offset ORDER BY l.last_offset LIMIT 1
) AS s ON true
WHERE p.source = $1 AND position('/' IN p.topic) = 0 AND (p.grp = $2 OR NOT EXISTS (
  SELECT FROM groundswell.consumer_position AS f WHERE f.grp = $2 AND f.source = $1
))
ORDER BY p.grp, p.topic`

/**
 * The lag of every group that ever ran, by group, topic, shard. Ages are by each database's clock. Where a broker
 * carries the log, only its forwarder reads here: the group `~broker`. How far groups are then is for `brokerLag`.
 */
export async function lag(cluster: Cluster): Promise<readonly Lag[]> {
  const perShard = await onEveryShard(cluster, async (shard) => {
    const rows = await shard.query<Omit<Lag, 'shard'>>(LAG, [shard.index, FORWARDER])
    return rows.map((row) => ({ ...row, shard: shard.index }))
  })
  return perShard.flat().sort((a, b) => compare(a.group, b.group) || compare(a.topic, b.topic) || a.shard - b.shard)
}

/** The names of all groups that ever ran. */
export async function groupNames(cluster: Cluster): Promise<readonly string[]> {
  const rows = await onEveryShard(cluster, (shard) =>
    shard.query<{ name: string }>('SELECT DISTINCT grp AS name FROM groundswell.consumer_position'),
  )
  return [...new Set(rows.flat().map(({ name }) => name))].sort(compare)
}

export type OutboxDepth = {
  readonly shard: number
  /** Events that wait for the sequencer. */
  readonly events: number
  readonly oldestAgeSeconds: number
}

const OUTBOX_DEPTH = `
SELECT coalesce(sum(events), 0) AS events,
  coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0)::float8 AS "oldestAgeSeconds"
FROM groundswell.outbox`

/** What waits for the sequencer on each shard. */
export function outboxDepth(cluster: Cluster): Promise<readonly OutboxDepth[]> {
  return onEveryShard(cluster, async (shard) => {
    const [row] = await shard.query<Omit<OutboxDepth, 'shard'>>(OUTBOX_DEPTH)
    return { shard: shard.index, events: row?.events ?? 0, oldestAgeSeconds: row?.oldestAgeSeconds ?? 0 }
  })
}

/** An event that exhausted its attempts or cannot be read. Its key waits, for its group, until it is redriven. */
export type DeadLetter = {
  readonly group: string
  /** Shard whose database holds it: that of the effects. */
  readonly shard: number
  /** Shard whose log the event came from. */
  readonly source: number
  readonly topic: string
  readonly offset: number
  readonly id: string
  readonly version: number
  readonly key: string
  readonly bucket: number
  readonly payload: unknown
  readonly traceparent: string
  readonly attempts: number
  readonly error: string
  readonly firstFailedAt: Date
  readonly lastFailedAt: Date
  /** Later events of the key that wait behind it. */
  readonly waiting: number
}

const DEAD_LETTERS = `
SELECT p.grp AS group, p.source, p.topic, p.off AS offset, p.id, p.version, p.key, p.bucket, p.payload, p.traceparent,
  p.attempts, coalesce(p.error, '') AS error, p.first_failed_at AS "firstFailedAt", p.last_failed_at AS "lastFailedAt",
  (SELECT count(*) FROM groundswell.parked_event AS w
    WHERE w.grp = p.grp AND w.source = p.source AND w.key = p.key AND w.state = 'waiting') AS waiting
FROM groundswell.parked_event AS p
WHERE p.state = 'dead' AND ($1::text IS NULL OR p.grp = $1)
ORDER BY p.last_failed_at DESC LIMIT $2`

/** Dead letters of all shards, the latest first. `limit` is 1..1000. */
export async function deadLetters(
  cluster: Cluster,
  options: { readonly group?: string; readonly limit?: number } = {},
): Promise<readonly DeadLetter[]> {
  const limit = Math.min(options.limit ?? DEAD_LETTERS_MAX, DEAD_LETTERS_MAX)
  const perShard = await onEveryShard(cluster, async (shard) => {
    const rows = await shard.query<Omit<DeadLetter, 'shard' | 'payload'> & { payload: string }>(DEAD_LETTERS, [
      options.group ?? null,
      limit,
    ])
    return rows.map((row) => ({ ...row, shard: shard.index, payload: JSON.parse(row.payload) as unknown }))
  })
  return perShard
    .flat()
    .sort((a, b) => b.lastFailedAt.getTime() - a.lastFailedAt.getTime())
    .slice(0, limit)
}

const REDRIVE = `
UPDATE groundswell.parked_event
SET state = 'retrying', attempts = 0, next_attempt_at = clock_timestamp()
WHERE state = 'dead' AND grp = $1 AND ($2::uuid IS NULL OR id = $2)
RETURNING 1`

/**
 * Gives dead letters of a group another series of attempts: all of them, or the one event with this id. Returns how
 * many. Running it twice at once redrives each once; the events behind them follow in order after success.
 */
export async function redrive(
  cluster: Cluster,
  options: { readonly group: string; readonly id?: string },
): Promise<number> {
  const counts = await onEveryShard(
    cluster,
    async (shard) => (await shard.query(REDRIVE, [options.group, options.id ?? null])).length,
  )
  return counts.reduce((sum, count) => sum + count, 0)
}

/**
 * Moves a group to an offset of a stream (`topic/partition` of one source shard), to go on behind a gap whose loss is
 * accepted: `after` of the error EVENTS_OFFSET_EXPIRED. Events below it that come later all the same are passed over.
 */
export async function moveGroup(
  cluster: Cluster,
  to: { readonly group: string; readonly source: number; readonly stream: string; readonly offset: number },
): Promise<void> {
  const { group, source, stream, offset } = to
  const shard = cluster.shards[source]
  if (shard === undefined) throw new RangeError(`there is no shard ${source}`)
  await setPosition(shard, { group, source }, { stream, offset })
}

/** Throws EVENTS_BROKER_NEEDED when a broker has carried this log: without it groups would repeat what they read. */
export async function assertNotForwarded(cluster: Cluster): Promise<void> {
  await onEveryShard(cluster, async (shard) => {
    const [row] = await shard.query('SELECT FROM groundswell.consumer_position WHERE grp = $1 LIMIT 1', [FORWARDER])
    if (row === undefined) return
    throw eventsError(
      'EVENTS_BROKER_NEEDED',
      `the log of ${shard.label} was forwarded to a broker, and EVENTS_URL names none`,
    )
  })
}

function onEveryShard<T>(cluster: Cluster, ask: (shard: Shard) => Promise<T>): Promise<T[]> {
  return Promise.all(cluster.shards.map(ask))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
