import type { Queryable, Shard } from '../../data/index.ts'
import { FORWARDER, type PositionScope } from './postgres-positions.ts'

/** What is to be known of a group on a shard before it goes on. */
export type GroupState = {
  readonly group: string
  readonly isPaused: boolean
  /** An operator asked for a replay that no worker has taken yet. */
  readonly isReplayAsked: boolean
  /** Retention has dropped events that the group has not processed. */
  readonly hasMissed: boolean
  /** How often operators moved its positions here, all of them together. */
  readonly moves: number
}

const STATES = `
SELECT g.grp AS group,
  EXISTS (SELECT FROM groundswell.paused_group AS p WHERE p.grp = g.grp) AS "isPaused",
  EXISTS (SELECT FROM groundswell.replay_request AS r WHERE r.grp = g.grp) AS "isReplayAsked",
  coalesce(bool_or(p.next_offset < h.first_offset), false) AS "hasMissed",
  (SELECT coalesce(sum(m.moves), 0)::int FROM groundswell.consumer_position AS m
    WHERE m.grp = g.grp AND m.source = $3) AS moves
FROM unnest($1::text[], $2::text[]) AS g(grp, topic)
LEFT JOIN groundswell.consumer_position AS p ON p.grp = g.grp AND p.source = $3 AND p.topic = g.topic
LEFT JOIN groundswell.log_head AS h ON h.topic = g.topic
GROUP BY g.grp`

/** The states of groups on the shard whose log they read, given what they consume. */
export function groupStates(
  shard: Shard,
  groups: ReadonlyMap<string, readonly string[]>,
): Promise<readonly GroupState[]> {
  const pairs = [...groups].flatMap(([group, topics]) => topics.map((topic) => [group, topic] as const))
  return shard.query<GroupState>(STATES, [pairs.map(([group]) => group), pairs.map(([, topic]) => topic), shard.index])
}

const PAUSE = `INSERT INTO groundswell.paused_group (grp) VALUES ($1) ON CONFLICT DO NOTHING`
const RESUME = `DELETE FROM groundswell.paused_group WHERE grp = $1`

/** Pauses a group on a shard, or resumes it. Idempotent. */
export async function setPaused(shard: Queryable, group: string, paused: boolean): Promise<void> {
  await shard.query(paused ? PAUSE : RESUME, [group])
}

/** From where a replay begins: what is kept, what is yet to come, an offset, or what was written at a time or later. */
export type ReplayStart =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'offset'; readonly offset: number }
  | { readonly kind: 'time'; readonly time: Date }

export type ReplayPlan = {
  readonly topic: string
  /** Where the group is; where a broker carries the topic, in the partition in which it is furthest. */
  readonly committed: number
  /** Where it is to begin. */
  readonly from: number
  /** What the log holds. */
  readonly first: number
  readonly end: number
}

const PLAN = `
SELECT p.topic, p.next_offset AS committed, coalesce(h.first_offset, 0) AS first, coalesce(h.next_offset, 0) AS end,
  greatest(coalesce(h.first_offset, 0), CASE $4
    WHEN 'latest' THEN coalesce(h.next_offset, 0)
    WHEN 'offset' THEN $5::bigint
    WHEN 'time' THEN coalesce((
      SELECT l.last_offset - l.events + 1 FROM groundswell.log_segment AS l
      WHERE l.topic = p.topic AND l.written_at >= $6 ORDER BY l.last_offset LIMIT 1
    ), h.next_offset, 0)
    ELSE 0 END) AS from
FROM (
  SELECT split_part(topic, '/', 1) AS topic, max(next_offset) AS next_offset FROM groundswell.consumer_position
  WHERE grp = $1 AND source = $2 GROUP BY 1
) AS p LEFT JOIN groundswell.log_head AS h ON h.topic = p.topic
WHERE $3::text IS NULL OR p.topic = $3
ORDER BY p.topic`

/** Where a group would go, for each of its topics or for one, on a shard. */
export function planReplay(
  shard: Shard,
  group: string,
  { topic, start }: { readonly topic: string | undefined; readonly start: ReplayStart },
): Promise<readonly ReplayPlan[]> {
  const offset = start.kind === 'offset' ? start.offset : null
  const time = start.kind === 'time' ? start.time : null
  return shard.query<ReplayPlan>(PLAN, [group, shard.index, topic ?? null, start.kind, offset, time])
}

/** Where a group is to go on in a topic, and whether handlers take what they have had before for new. */
export type Move = { readonly offset: number; readonly asNew: boolean }

const ASK = `
INSERT INTO groundswell.replay_request AS r (grp, topic, from_offset, as_new)
SELECT $1, topic, from_offset, as_new FROM unnest($2::text[], $3::bigint[], $4::boolean[])
  AS wanted(topic, from_offset, as_new)
ON CONFLICT (grp, topic) DO UPDATE
SET from_offset = excluded.from_offset, as_new = excluded.as_new, requested_at = excluded.requested_at`

/** Asks the group's worker to go on elsewhere, by topic. What was asked and nobody has taken yet is replaced. */
export async function askForReplay(shard: Queryable, group: string, moves: ReadonlyMap<string, Move>): Promise<void> {
  await shard.query(ASK, [group, ...columnsOf(moves)])
}

const ASKED = `
SELECT topic, from_offset AS offset, as_new AS "asNew" FROM groundswell.replay_request WHERE grp = $1`

/** Where a group is asked to go on, by topic. */
export async function replaysAsked(shard: Queryable, group: string): Promise<ReadonlyMap<string, Move>> {
  const rows = await shard.query<Move & { topic: string }>(ASKED, [group])
  return new Map(rows.map(({ topic, ...move }) => [topic, move]))
}

// `old` is read before it is changed, since both see the statement's snapshot; the worker is the only one that moves
// positions to where they were not expected. A partition that a broker carries has come as far as its topic had come
// before: `base`. Up to where it or the forwarder is, its events will come from the log; what comes above has not been
// acknowledged at the broker yet, and comes from there. The forwarder may be told of a moment late, hence the greatest.
const MOVE = `
UPDATE groundswell.consumer_position AS p
SET next_offset = wanted.from_offset, moves = p.moves + 1,
  replay_until = CASE WHEN as_new THEN wanted.from_offset
    ELSE greatest(p.replay_until, p.next_offset, base.next_offset) END,
  log_until = CASE WHEN position('/' IN p.topic) = 0 THEN 0
    ELSE greatest(p.log_until, p.next_offset, base.next_offset, forwarder.next_offset) END
FROM unnest($3::text[], $4::bigint[], $5::boolean[]) AS wanted(topic, from_offset, as_new)
JOIN groundswell.consumer_position AS old ON split_part(old.topic, '/', 1) = wanted.topic
LEFT JOIN groundswell.consumer_position AS base
  ON base.grp = old.grp AND base.source = old.source AND base.topic = wanted.topic
LEFT JOIN groundswell.consumer_position AS forwarder
  ON forwarder.grp = '${FORWARDER}' AND forwarder.source = old.source AND forwarder.topic = old.topic
WHERE p.grp = $1 AND p.source = $2 AND old.grp = $1 AND old.source = $2 AND old.topic = p.topic
RETURNING wanted.topic, greatest(old.next_offset, base.next_offset) AS before`

// What is parked comes again from the log, in its order; where it is passed over there, it stays.
const UNPARK = `
DELETE FROM groundswell.parked_event AS e
USING unnest($3::text[], $4::bigint[], $5::boolean[]) AS wanted(topic, from_offset, as_new)
WHERE e.grp = $1 AND e.source = $2 AND e.topic = wanted.topic AND e.off >= wanted.from_offset
  AND (wanted.as_new OR e.topic = ANY ($6::text[]))`

/**
 * Moves a group's positions in one database, those of partitions too, and removes what is parked from there on of
 * topics in `rerun`, whose consumer runs for replays. Returns how far each topic was. Again with the same moves changes
 * nothing more.
 */
export async function movePositions(
  target: Queryable,
  scope: PositionScope,
  { moves, rerun }: { readonly moves: ReadonlyMap<string, Move>; readonly rerun: readonly string[] },
): Promise<ReadonlyMap<string, number>> {
  const values = [scope.group, scope.source, ...columnsOf(moves)]
  const [moved] = await Promise.all([
    target.query<{ topic: string; before: number }>(MOVE, values),
    target.query(UNPARK, [...values, rerun]),
  ])
  const before = new Map<string, number>()
  for (const row of moved) before.set(row.topic, Math.max(row.before, before.get(row.topic) ?? 0))
  return before
}

const TAKE = `
DELETE FROM groundswell.replay_request AS r
USING unnest($2::text[], $3::bigint[], $4::boolean[]) AS done(topic, from_offset, as_new)
WHERE r.grp = $1 AND r.topic = done.topic AND r.from_offset = done.from_offset AND r.as_new = done.as_new`

/** Removes requests that were done, unless they were replaced by others meanwhile. */
export async function replaysDone(shard: Queryable, group: string, moves: ReadonlyMap<string, Move>): Promise<void> {
  await shard.query(TAKE, [group, ...columnsOf(moves)])
}

function columnsOf(moves: ReadonlyMap<string, Move>): readonly unknown[] {
  const all = [...moves.values()]
  return [[...moves.keys()], all.map(({ offset }) => offset), all.map(({ asNew }) => asNew)]
}
