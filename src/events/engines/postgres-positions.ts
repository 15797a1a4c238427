import type { Queryable } from '../../data/index.ts'

/** Next offset to process, by stream: a topic, or `topic/partition` where a broker carries it. */
export type Positions = ReadonlyMap<string, number>

/** Whose positions: those of a group for what was written on the shard `source`. */
export type PositionScope = { readonly group: string; readonly source: number }

/** Whose positions are the forwarder's, among those of groups: no service can have this name. */
export const FORWARDER = '~broker'

const LOAD = `
SELECT topic, next_offset AS "nextOffset" FROM groundswell.consumer_position WHERE grp = $1 AND source = $2`

/** The positions that the database of a target knows. */
export async function loadPositions(target: Queryable, scope: PositionScope): Promise<Map<string, number>> {
  const rows = await target.query<{ topic: string; nextOffset: number }>(LOAD, [scope.group, scope.source])
  return new Map(rows.map((row) => [row.topic, row.nextOffset]))
}

/** What operators did to a position. */
export type Moved = {
  /** Where the last replay ended or will end: what comes below it has had its effect on the target before. */
  readonly replayUntil: number
  /** How often the position was moved. */
  readonly moves: number
}

/** By stream; those that were never moved are not in it. */
export type Moves = ReadonlyMap<string, Moved>

/** What a target's database knows of a group. */
export type GroupPositions = {
  readonly positions: Map<string, number>
  readonly moves: Moves
  /**
   * Streams that a broker carries, and that the group has from the log up to these offsets, since it was sent back: see
   * log-replay.ts. Of interest only on the shard whose log it is.
   */
  readonly held: Positions
}

const LOAD_GROUP = `
SELECT topic, next_offset AS "nextOffset", replay_until AS "replayUntil", moves, log_until AS "logUntil"
FROM groundswell.consumer_position WHERE grp = $1 AND source = $2`

/** All of it as it was at one moment. */
export async function loadGroup(target: Queryable, scope: PositionScope): Promise<GroupPositions> {
  const rows = await target.query<Moved & { topic: string; nextOffset: number; logUntil: number }>(LOAD_GROUP, [
    scope.group,
    scope.source,
  ])
  const [positions, moves, held] = [new Map<string, number>(), new Map<string, Moved>(), new Map<string, number>()]
  for (const { topic, nextOffset, logUntil, ...moved } of rows) {
    positions.set(topic, nextOffset)
    if (moved.moves > 0 || moved.replayUntil > 0) moves.set(topic, moved)
    if (nextOffset < logUntil) held.set(topic, logUntil)
  }
  return { positions, moves, held }
}

const FORWARDED = `
SELECT topic AS stream FROM groundswell.consumer_position
WHERE grp = $1 AND source = $2 AND split_part(topic, '/', 1) = ANY ($3::text[]) AND position('/' IN topic) > 0`

/** The streams of these topics that were ever forwarded to a broker; none where none carries the log. */
export async function forwardedStreams(
  source: Queryable,
  index: number,
  topics: readonly string[],
): Promise<readonly string[]> {
  const rows = await source.query<{ stream: string }>(FORWARDED, [FORWARDER, index, topics])
  return rows.map(({ stream }) => stream)
}

// A stream is one of a broker, whosever position it is. Rows of the forwarder begin at 0, before it has a broker.
const WAS_FORWARDED = `
SELECT FROM groundswell.consumer_position
WHERE position('/' IN topic) > 0 OR (grp = $1 AND next_offset > 0) LIMIT 1`

/** Whether a broker has carried anything of this shard's log, or a group has read from one for this shard. */
export async function wasForwarded(shard: Queryable): Promise<boolean> {
  return (await shard.query(WAS_FORWARDED, [FORWARDER])).length > 0
}

const UNUSED = `
SELECT bool_and(next_offset = 0) AS unused FROM (
  SELECT next_offset FROM groundswell.consumer_position WHERE grp = $1 FOR UPDATE
) AS forwarder`

/**
 * Deletes the positions of a forwarder that has forwarded nothing. Locks them before, so that one that begins
 * meanwhile keeps all of them or finds none, and then makes them anew.
 */
export async function forgetForwarder(tx: Queryable): Promise<void> {
  const [row] = await tx.query<{ unused: boolean | null }>(UNUSED, [FORWARDER])
  if (row?.unused) await tx.query('DELETE FROM groundswell.consumer_position WHERE grp = $1', [FORWARDER])
}

const BEGIN = `
INSERT INTO groundswell.consumer_position (grp, source, topic, next_offset)
SELECT $1, $2, t.topic, coalesce(CASE t.begin WHEN 'latest' THEN h.next_offset ELSE h.first_offset END, 0)
FROM unnest($3::text[], $4::text[]) AS t(topic, begin) LEFT JOIN groundswell.log_head AS h ON h.topic = t.topic
ORDER BY t.topic
ON CONFLICT DO NOTHING`

/** Makes the positions of a new group on the shard whose log they are of, where each topic says that it begins. */
export async function beginPositions(
  source: Queryable,
  scope: PositionScope,
  topics: ReadonlyMap<string, 'earliest' | 'latest'>,
): Promise<void> {
  await source.query(BEGIN, [scope.group, scope.source, [...topics.keys()], [...topics.values()]])
}

const CREATE = `
INSERT INTO groundswell.consumer_position (grp, source, topic, next_offset)
SELECT $1, $2, topic, 0 FROM unnest($3::text[]) AS topic ORDER BY topic
ON CONFLICT DO NOTHING`

/** Makes rows at offset 0 where there are none. */
export async function createPositions(
  target: Queryable,
  scope: PositionScope,
  topics: readonly string[],
): Promise<void> {
  await target.query(CREATE, [scope.group, scope.source, topics])
}

const ADVANCE = `
UPDATE groundswell.consumer_position AS p SET next_offset = step.next_offset
FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::int[]) AS step(topic, expected, next_offset, moves)
WHERE p.grp = $1 AND p.source = $2 AND p.topic = step.topic AND p.next_offset = step.expected
  AND p.moves = step.moves
RETURNING 1`

/**
 * Advances positions from `expected` to `next`, whose topics are the same; `moves` is what `loadGroup` gave. False when
 * any was not where it was expected, or was moved meanwhile: another process is at work, and the transaction must roll
 * back.
 */
export async function advancePositions(
  target: Queryable,
  scope: PositionScope,
  step: { readonly expected: Positions; readonly next: Positions; readonly moves: Moves },
): Promise<boolean> {
  const topics = [...step.next.keys()]
  const rows = await target.query(ADVANCE, [
    scope.group,
    scope.source,
    topics,
    topics.map((topic) => step.expected.get(topic)),
    [...step.next.values()],
    topics.map((topic) => step.moves.get(topic)?.moves ?? 0),
  ])
  return rows.length === topics.length
}

const SET = `
INSERT INTO groundswell.consumer_position AS p (grp, source, topic, next_offset) VALUES ($1, $2, $3, $4)
ON CONFLICT (grp, source, topic) DO UPDATE SET next_offset = excluded.next_offset, moves = p.moves + 1`

/** Moves a position whatever it was. */
export async function setPosition(
  target: Queryable,
  scope: PositionScope,
  to: { readonly stream: string; readonly offset: number },
): Promise<void> {
  await target.query(SET, [scope.group, scope.source, to.stream, to.offset])
}
