import type { Cluster, Shard } from '../data/index.ts'
import { askForReplay, planReplay, type ReplayStart, replaysAsked, setPaused } from './engines/postgres-groups.ts'
import { type PassedEvents, passMissed } from './engines/postgres-periods.ts'
import { FORWARDER, forgetForwarder, setPosition, wasForwarded } from './engines/postgres-positions.ts'
import { eventsError } from './errors.ts'
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
  /** Of those, how many retention has dropped: the group stops until it is moved past them. */
  readonly missed: number
  /** Seconds since the oldest unprocessed event was written; 0 when there is none. */
  readonly oldestAgeSeconds: number
  /** An operator paused the group on this shard. */
  readonly isPaused: boolean
  /** An operator moved the group back, and it has not come to where it was, or has yet to begin. */
  readonly isReplaying: boolean
}

const LAG = `
WITH reader AS (
  SELECT grp, topic, next_offset, replay_until, NULL::bigint AS log_until FROM groundswell.consumer_position
  WHERE source = $1 AND position('/' IN topic) = 0 AND (grp = $2 OR NOT EXISTS (
    SELECT FROM groundswell.consumer_position AS f WHERE f.grp = $2 AND f.source = $1
  ))
  UNION ALL
  SELECT grp, split_part(topic, '/', 1), min(next_offset), max(log_until), max(log_until)
  FROM groundswell.consumer_position
  WHERE source = $1 AND position('/' IN topic) > 0 AND next_offset < log_until
  GROUP BY 1, 2
)
SELECT p.grp AS group, p.topic, p.next_offset AS committed, coalesce(p.log_until, h.next_offset, 0) AS end,
  coalesce(p.log_until, h.next_offset, 0) - p.next_offset AS lag,
  greatest(0, coalesce(h.first_offset, 0) - p.next_offset) AS missed,
  coalesce(extract(epoch FROM clock_timestamp() - s.written_at), 0)::float8 AS "oldestAgeSeconds",
  EXISTS (SELECT FROM groundswell.paused_group AS g WHERE g.grp = p.grp) AS "isPaused",
  p.next_offset < p.replay_until OR EXISTS (
    SELECT FROM groundswell.replay_request AS r WHERE r.grp = p.grp AND r.topic = p.topic
  ) AS "isReplaying"
FROM reader AS p
LEFT JOIN groundswell.log_head AS h ON h.topic = p.topic
LEFT JOIN LATERAL (
  SELECT written_at FROM groundswell.log_segment AS l
  WHERE l.topic = p.topic AND l.last_offset >= p.next_offset ORDER BY l.last_offset LIMIT 1
) AS s ON true
ORDER BY p.grp, p.topic`

/**
 * The lag of every group that ever ran, by group, topic, shard. Ages are by each database's clock. Where a broker
 * carries the log, only its forwarder reads here, the group `~broker`, and a group that was sent back, for as long as
 * that takes: from where its slowest partition is to where it will read from the broker again. How far groups are
 * otherwise is for `brokerLag`.
 */
export async function lag(cluster: Cluster): Promise<readonly Lag[]> {
  const perShard = await onEveryShard(cluster, async (shard) => {
    const rows = await shard.query<Omit<Lag, 'shard'>>(LAG, [shard.index, FORWARDER])
    return rows.map((row) => ({ ...row, shard: shard.index }))
  })
  return perShard.flat().sort((a, b) => compare(a.group, b.group) || compare(a.topic, b.topic) || a.shard - b.shard)
}

/** What the log of one shard holds of a topic. */
export type TopicState = {
  readonly topic: string
  readonly shard: number
  /** First offset that is kept. */
  readonly first: number
  /** Next offset the log will give. */
  readonly end: number
  /** When the oldest that is kept was written; null when nothing is. */
  readonly oldestAt: Date | null
  /** Names of the groups that have ever had of it. */
  readonly groups: readonly string[]
  /** Events of it that are not due yet. */
  readonly delayed: number
}

const TOPICS = `
SELECT coalesce(h.topic, t.topic) AS topic, coalesce(h.first_offset, 0) AS first, coalesce(h.next_offset, 0) AS end,
  (SELECT written_at FROM groundswell.log_segment AS l
    WHERE l.topic = h.topic AND l.last_offset >= h.first_offset ORDER BY l.last_offset LIMIT 1) AS "oldestAt",
  ARRAY(SELECT grp FROM groundswell.consumer_position AS p
    WHERE p.topic = coalesce(h.topic, t.topic) AND p.source = $1 ORDER BY grp) AS groups,
  coalesce(t.delayed, 0)::int AS delayed
FROM groundswell.log_head AS h
FULL JOIN (SELECT topic, count(*) AS delayed FROM groundswell.timer GROUP BY topic) AS t ON t.topic = h.topic
ORDER BY 1`

/** Every topic that anything was written of, by topic, shard. Counts delayed events one by one: not for polling. */
export async function topicStates(cluster: Cluster): Promise<readonly TopicState[]> {
  const perShard = await onEveryShard(cluster, async (shard) => {
    const rows = await shard.query<Omit<TopicState, 'shard'>>(TOPICS, [shard.index])
    return rows.map((row) => ({ ...row, shard: shard.index }))
  })
  return perShard.flat().sort((a, b) => compare(a.topic, b.topic) || a.shard - b.shard)
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
 * Pauses a group on every shard, or resumes it. Every process sees it within a second, finishes the batch that is under
 * way, and keeps to it after a restart. What is written meanwhile waits in the log, for as long as that keeps it.
 * Idempotent.
 */
export async function pauseGroup(
  cluster: Cluster,
  options: { readonly group: string; readonly paused: boolean },
): Promise<void> {
  await onEveryShard(cluster, (shard) => setPaused(shard, options.group, options.paused))
}

export type ReplayOptions = {
  readonly group: string
  readonly start: ReplayStart
  /** Only of this topic; of all that the group has had when absent. */
  readonly topic?: string
  /** Only what was written on this shard. */
  readonly shard?: number
  /** Whether handlers take what comes again for new: external calls are then made again. Default: false. */
  readonly asNew?: boolean
}

/** What a replay was asked for: one topic of one shard. */
export type Replay = {
  readonly shard: number
  readonly topic: string
  /** First offset to deliver. */
  readonly from: number
  /** Offset that the group had come to. */
  readonly committed: number
}

/**
 * Asks for a group to go on from elsewhere in the log: back, for a replay, or on, past what was dropped. The group's
 * workers take it within a second, or when there are any again; `replaysPending` tells whether they have. Where a
 * broker carries the events, they come from the log all the same. Throws EVENTS_REPLAY_INVALID when nothing there is of
 * the group, or an offset is not in the log.
 */
export async function replayGroup(cluster: Cluster, options: ReplayOptions): Promise<readonly Replay[]> {
  const { group, start, topic, shard: only, asNew = false } = options
  if (group === FORWARDER) throw eventsError('EVENTS_REPLAY_INVALID', 'what a broker has is not forwarded again')
  const shards = cluster.shards.filter((shard) => only === undefined || shard.index === only)
  const plans = await Promise.all(
    shards.map(async (shard) => ({ shard, rows: await planReplay(shard, group, { topic, start }) })),
  )
  const replays = plans.flatMap(({ shard, rows }) => rows.map((row) => ({ ...row, shard: shard.index })))
  if (replays.length === 0) {
    const what = topic === undefined ? 'anything' : topic
    throw eventsError(
      'EVENTS_REPLAY_INVALID',
      `${group} has not consumed ${what} there, so that nothing can be replayed`,
    )
  }
  for (const { from, first, end, ...place } of replays) {
    // What is too low was raised to the first offset.
    const isKept = start.kind === 'offset' ? start.offset >= first && from <= end : true
    if (isKept) continue
    const where = `${place.topic} of shard ${place.shard}`
    throw eventsError(
      'EVENTS_REPLAY_INVALID',
      `the log of ${where} holds offsets ${first} to ${end}, not ${start.kind === 'offset' ? start.offset : from}`,
    )
  }
  await Promise.all(
    plans.map(({ shard, rows }) =>
      askForReplay(shard, group, new Map(rows.map((row) => [row.topic, { offset: row.from, asNew }]))),
    ),
  )
  return replays.map(({ shard, topic, from, committed }) => ({ shard, topic, from, committed }))
}

/** Shards on which no worker has taken a replay of the group yet. */
export async function replaysPending(cluster: Cluster, group: string): Promise<readonly number[]> {
  const asked = await onEveryShard(cluster, async (shard) => ({ shard, topics: await replaysAsked(shard, group) }))
  return asked.filter(({ topics }) => topics.size > 0).map(({ shard }) => shard.index)
}

/** Of the stream, or of its topic: from when the group read the log itself. */
const POSITION = `
SELECT FROM groundswell.consumer_position
WHERE grp = $1 AND source = $2 AND topic IN ($3, split_part($3, '/', 1))`

/**
 * Moves a group to an offset of a stream (`topic/partition` of one source shard), to go on behind a gap whose loss is
 * accepted: `after` of the error EVENTS_OFFSET_EXPIRED. Events below it that come later all the same are passed over.
 * Throws EVENTS_REPLAY_INVALID when the group has no position there.
 */
export async function moveGroup(
  cluster: Cluster,
  to: { readonly group: string; readonly source: number; readonly stream: string; readonly offset: number },
): Promise<void> {
  const { group, source, stream, offset } = to
  const shard = cluster.shards[source]
  if (shard === undefined) throw new RangeError(`there is no shard ${source}`)
  const [position] = await shard.query(POSITION, [group, source, stream])
  if (position === undefined) {
    throw eventsError('EVENTS_REPLAY_INVALID', `${group} has read nothing of ${stream} that shard ${source} wrote`)
  }
  await setPosition(shard, { group, source }, { stream, offset })
}

/**
 * Lets the forwarder go on behind what retention dropped before it was forwarded, on every shard or on one, and tells
 * what that was: no group will hear of these events, nor of a gap. Positions that are not before a gap stay.
 */
export async function skipUnforwarded(
  cluster: Cluster,
  only?: number,
): Promise<readonly (PassedEvents & { readonly shard: number })[]> {
  const shards = cluster.shards.filter(({ index }) => only === undefined || index === only)
  const passed = await Promise.all(
    shards.map(async (shard) => (await passMissed(shard)).map((one) => ({ ...one, shard: shard.index }))),
  )
  return passed.flat()
}

/**
 * For a start without a broker. Throws EVENTS_BROKER_NEEDED when one has carried this log: without it groups would
 * repeat what they read. Of a broker that was only named and never had anything, the forwarder's positions go: nobody
 * will move them, and groups would count as reading from it.
 */
export async function leaveBroker(cluster: Cluster): Promise<void> {
  const forwarded = await onEveryShard(cluster, wasForwarded)
  if (forwarded.includes(true)) {
    throw eventsError('EVENTS_BROKER_NEEDED', 'the log was forwarded to a broker, and EVENTS_URL names none')
  }
  await onEveryShard(cluster, (shard) => shard.transaction(forgetForwarder))
}

function onEveryShard<T>(cluster: Cluster, ask: (shard: Shard) => Promise<T>): Promise<T[]> {
  return Promise.all(cluster.shards.map(ask))
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}
