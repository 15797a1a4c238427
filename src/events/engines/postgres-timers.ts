import type { Queryable, Transaction } from '../../data/index.ts'
import type { DueEvent } from '../timers.ts'

// Payloads hold no line break, being JSON. The time of the statement is that of the database, and the same for all.
const INSERT = `
INSERT INTO groundswell.timer AS t
  (name, due_at, topic, id, version, bucket, key, traceparent, payload)
SELECT name, greatest(statement_timestamp() + due_in_ms * interval '1 millisecond', to_timestamp(not_before_ms / 1000)),
  topic, id, version, bucket, key, traceparent, payload
FROM ROWS FROM (unnest($1::text[]), unnest($2::float8[]), unnest($3::float8[]), unnest($4::text[]), unnest($5::uuid[]),
  unnest($6::int[]), unnest($7::int[]), unnest($8::text[]), unnest($9::text[]), string_to_table($10, E'\\n'))
  WITH ORDINALITY
  AS e(name, due_in_ms, not_before_ms, topic, id, version, bucket, key, traceparent, payload, n)
ORDER BY n
ON CONFLICT (name) DO UPDATE SET due_at = excluded.due_at, seq = excluded.seq, topic = excluded.topic,
  id = excluded.id, version = excluded.version, bucket = excluded.bucket, key = excluded.key,
  traceparent = excluded.traceparent, payload = excluded.payload`

/** Sets timers with different names, or sets them anew. Not awaited: should it fail, so does COMMIT. */
export function insertTimers(tx: Transaction, timers: readonly DueEvent[]): void {
  const envelopes = timers.map(({ event }) => event.envelope)
  void tx.query(INSERT, [
    timers.map(({ key }) => key),
    timers.map(({ dueInMs }) => Math.max(0, dueInMs)),
    timers.map(({ notBefore }) => Math.max(0, notBefore?.getTime() ?? 0)),
    envelopes.map(({ type }) => type),
    envelopes.map(({ id }) => id),
    envelopes.map(({ version }) => version),
    envelopes.map(({ bucket }) => bucket),
    envelopes.map(({ key }) => key),
    envelopes.map(({ traceparent }) => traceparent),
    timers.map(({ event }) => JSON.stringify(event.payload)).join('\n'),
  ])
}

const DELETE = `DELETE FROM groundswell.timer WHERE name = ANY ($1::text[]) RETURNING name`

/** Removes timers; returns the names of those that were there. */
export async function deleteTimers(tx: Transaction, names: readonly string[]): Promise<readonly string[]> {
  const rows = await tx.query<{ name: string }>(DELETE, [names])
  return rows.map((row) => row.name)
}

const NEXT = `
SELECT (extract(epoch FROM due_at - clock_timestamp()) * 1000)::float8 AS "inMs"
FROM groundswell.timer ORDER BY due_at, seq LIMIT 1`

/** Time until the next timer is due, negative when it is overdue; undefined when none is set. */
export async function nextTimerInMs(shard: Queryable): Promise<number | undefined> {
  const [next] = await shard.query<{ inMs: number }>(NEXT)
  return next?.inMs
}

// One statement, hence one transaction; the lease is updated as in a drain, and for the same reasons. A timer that is
// locked is being cancelled or set anew: it is left to the next round, since whoever holds it may take a while. The
// record is that of segment.ts; an event that was kept back occurs when it is let go.
const RELEASE = `
WITH due AS MATERIALIZED (
  SELECT ctid AS row_id FROM groundswell.timer WHERE due_at <= statement_timestamp()
  ORDER BY due_at, seq LIMIT $3 FOR UPDATE SKIP LOCKED
), lease AS (
  UPDATE groundswell.lease SET expires_at = clock_timestamp() + $4 * interval '1 millisecond'
  WHERE name = 'sequencer' AND owner = $1 AND epoch = $2 AND EXISTS (SELECT FROM due)
  RETURNING 1
), taken AS (
  DELETE FROM groundswell.timer WHERE ctid = ANY (ARRAY(SELECT row_id FROM due WHERE EXISTS (SELECT FROM lease)))
  RETURNING *
), stored AS (
  INSERT INTO groundswell.segment (id, records)
  SELECT id, '[["' || id || '",' || version || ',' || bucket || ',' || to_json(key) || ',"' || traceparent || '",'
    || (extract(epoch FROM statement_timestamp()) * 1000)::bigint || ',' || payload || ']]'
  FROM taken
), moved AS (
  INSERT INTO groundswell.outbox (topic, events, segment) SELECT topic, 1, id FROM taken ORDER BY due_at, seq
)
SELECT count(*)::int AS events,
  coalesce(extract(epoch FROM statement_timestamp() - min(due_at)) * 1000, 0)::float8 AS "lateMs" FROM taken`

export type Release = {
  readonly owner: string
  readonly epoch: number
  readonly timersMax: number
  readonly leaseMs: number
}

export type Released = {
  readonly events: number
  /** How long ago the first of them was due. */
  readonly lateMs: number
}

/**
 * Moves timers that are due to the outbox, in the order of their due times. None when the sequencer's lease has gone to
 * another epoch. Exactly once: a timer is deleted and its event written together.
 */
export async function releaseTimers(shard: Queryable, release: Release): Promise<Released> {
  const { owner, epoch, timersMax, leaseMs } = release
  const [released] = await shard.query<Released>(RELEASE, [owner, epoch, timersMax, leaseMs])
  return released ?? { events: 0, lateMs: 0 }
}
