import type { Queryable } from '../../data/index.ts'

/** Next offset to process, by topic. */
export type Positions = ReadonlyMap<string, number>

/** Whose positions: those of a group for what was written on the shard `source`. */
export type PositionScope = { readonly group: string; readonly source: number }

const LOAD = `
SELECT topic, next_offset AS "nextOffset" FROM groundswell.consumer_position WHERE grp = $1 AND source = $2`

/** The positions that the database of a target knows. */
export async function loadPositions(target: Queryable, scope: PositionScope): Promise<Map<string, number>> {
  const rows = await target.query<{ topic: string; nextOffset: number }>(LOAD, [scope.group, scope.source])
  return new Map(rows.map((row) => [row.topic, row.nextOffset]))
}

const LOAD_REPLAYS = `
SELECT topic, replay_until AS "replayUntil" FROM groundswell.consumer_position
WHERE grp = $1 AND source = $2 AND replay_until > 0`

/** Where the group's last replay ended or will end: what comes below it has had its effect on the target before. */
export async function loadReplays(target: Queryable, scope: PositionScope): Promise<Positions> {
  const rows = await target.query<{ topic: string; replayUntil: number }>(LOAD_REPLAYS, [scope.group, scope.source])
  return new Map(rows.map((row) => [row.topic, row.replayUntil]))
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
FROM unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[]) AS step(topic, expected, next_offset, replay_until)
WHERE p.grp = $1 AND p.source = $2 AND p.topic = step.topic AND p.next_offset = step.expected
  AND p.replay_until = step.replay_until
RETURNING 1`

/**
 * Advances positions from `expected` to `next`, whose topics are the same; `replays` is what `loadReplays` gave. False
 * when any was not where it was expected, or was replayed meanwhile: another process is at work, and the transaction
 * must roll back.
 */
export async function advancePositions(
  target: Queryable,
  scope: PositionScope,
  step: { readonly expected: Positions; readonly next: Positions; readonly replays: Positions },
): Promise<boolean> {
  const topics = [...step.next.keys()]
  const rows = await target.query(ADVANCE, [
    scope.group,
    scope.source,
    topics,
    topics.map((topic) => step.expected.get(topic)),
    [...step.next.values()],
    topics.map((topic) => step.replays.get(topic) ?? 0),
  ])
  return rows.length === topics.length
}
