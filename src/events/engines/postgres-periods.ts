import type { Queryable, Shard } from '../../data/index.ts'
import { FORWARDER } from './postgres-positions.ts'

const EXTEND = `
SELECT groundswell.extend_log($1 * interval '1 millisecond', $2 * interval '1 millisecond') AS added`

/** Adds periods until one ends `aheadMs` from now or later. Idempotent; waits for another that does it. */
export async function extendLog(
  shard: Shard,
  { periodMs, aheadMs }: { readonly periodMs: number; readonly aheadMs: number },
): Promise<number> {
  return shard.transaction(
    async (tx) => (await tx.query<{ added: number }>(EXTEND, [periodMs, aheadMs]))[0]?.added ?? 0,
  )
}

const SHORTEN = `SELECT groundswell.shorten_log($1 * interval '1 millisecond') AS shortened`

/**
 * Ends empty periods earlier that go on for longer than `periodMs`, and adds those that follow. Answers how many it
 * added; 0 when there was none to shorten. Waits for locks as {@link dropPeriod} does.
 */
export function shortenLog(
  shard: Shard,
  { periodMs, aheadMs }: { readonly periodMs: number; readonly aheadMs: number },
  lockMs: number,
): Promise<number> {
  return shard.transaction(async (tx) => {
    void tx.query(LOCK_TIMEOUT, [`${lockMs}ms`])
    const [row] = await tx.query<{ shortened: number }>(SHORTEN, [periodMs])
    if (row === undefined || row.shortened === 0) return 0
    return (await tx.query<{ added: number }>(EXTEND, [periodMs, aheadMs]))[0]?.added ?? 0
  })
}

const LOCK_TIMEOUT = `SELECT set_config('lock_timeout', $1, true)`

const EXPIRED = `
SELECT id FROM groundswell.log_period WHERE ends_at <= clock_timestamp() - $1 * interval '1 millisecond' ORDER BY id`

/** Ids of the periods that ended longer ago than `retentionMs`, the oldest first. */
export async function expiredPeriods(shard: Queryable, retentionMs: number): Promise<readonly number[]> {
  return (await shard.query<{ id: number }>(EXPIRED, [retentionMs])).map(({ id }) => id)
}

/**
 * Drops a period; false when events of it still wait in the outbox, or another process dropped it. Waits for its locks
 * for no longer than `lockMs`, since writers queue behind it meanwhile: DATA_CONFLICT when it did not get them.
 */
export function dropPeriod(shard: Shard, period: number, lockMs: number): Promise<boolean> {
  return shard.transaction(async (tx) => {
    const [, [row]] = await Promise.all([
      tx.query(LOCK_TIMEOUT, [`${lockMs}ms`]),
      tx.query<{ dropped: boolean }>('SELECT groundswell.drop_log_period($1) AS dropped', [period]),
    ])
    return row?.dropped ?? false
  })
}

// Where a broker carries the log, what groups had come to before says nothing any more; they have what is forwarded.
const MISSED = `
SELECT p.grp AS group, p.topic, least(h.first_offset, h.next_offset) - p.next_offset AS events
FROM groundswell.consumer_position AS p JOIN groundswell.log_head AS h ON h.topic = p.topic
WHERE p.source = $1 AND p.next_offset < h.first_offset AND (p.grp = '${FORWARDER}' OR NOT EXISTS (
  SELECT FROM groundswell.consumer_position AS f WHERE f.grp = '${FORWARDER}' AND f.source = $1
))
ORDER BY p.grp, p.topic`

/** Events of one topic and shard that were dropped before a group had processed them. */
export type MissedEvents = { readonly group: string; readonly topic: string; readonly events: number }

/** What groups have missed on a shard, and not been moved past yet. */
export function missedEvents(shard: Shard): Promise<readonly MissedEvents[]> {
  return shard.query<MissedEvents>(MISSED, [shard.index])
}

const PASS = `
WITH missed AS (
  SELECT p.topic, p.next_offset AS from, least(h.first_offset, h.next_offset) AS first
  FROM groundswell.consumer_position AS p JOIN groundswell.log_head AS h ON h.topic = p.topic
  WHERE p.grp = '${FORWARDER}' AND p.source = $1 AND p.next_offset < least(h.first_offset, h.next_offset)
)
UPDATE groundswell.consumer_position AS p SET next_offset = m.first FROM missed AS m
WHERE p.grp = '${FORWARDER}' AND p.source = $1 AND p.topic = m.topic AND p.next_offset = m.from
RETURNING p.topic, m.first - m.from AS events, m.first`

/** Events that the forwarder will not forward; `first` is the offset of the one behind them. */
export type PassedEvents = { readonly topic: string; readonly events: number; readonly first: number }

/** Moves the forwarder past what was dropped before it was forwarded, and tells what that was. */
export function passMissed(shard: Shard): Promise<readonly PassedEvents[]> {
  return shard.query<PassedEvents>(PASS, [shard.index])
}
