import type { Queryable, Transaction } from '../../data/index.ts'
import type { LoggedEvent } from '../segment.ts'
import type { PositionScope } from './postgres-positions.ts'

/**
 * An event on its way into the parking lot of a target's database; `error` is why, unless it only waits behind another.
 */
type ParkedState = 'retrying' | 'waiting' | 'dead'
export type ToPark = {
  readonly event: LoggedEvent
  readonly state: ParkedState
  readonly error: string | null
  readonly isReplay: boolean
}

/** A parked event whose attempt is due. */
export type DueEvent = {
  readonly seq: number
  readonly attempts: number
  readonly isReplay: boolean
  readonly event: LoggedEvent
}

export type Backoff = { readonly minMs: number; readonly maxMs: number }

/** SQL for the pause after `attempts` failures: exponential, with jitter of a half each way. */
const PAUSE = (attempts: string, min: string, max: string) =>
  `least(${max}, ${min} * 2 ^ least(${attempts} - 1, 30)) * (0.5 + random()) * interval '1 millisecond'`

const PARK = `
INSERT INTO groundswell.parked_event (grp, source, topic, off, id, version, bucket, key, payload, traceparent,
  occurred_at_ms, is_replay, state, attempts, error, first_failed_at, last_failed_at, next_attempt_at)
SELECT $1, $2, e.topic, e.off, e.id, e.version, e.bucket, e.key, e.payload, e.traceparent, e.occurred_at_ms,
  e.is_replay, e.state,
  CASE WHEN e.state = 'waiting' THEN 0 ELSE 1 END, e.error,
  CASE WHEN e.state <> 'waiting' THEN clock_timestamp() END, CASE WHEN e.state <> 'waiting' THEN clock_timestamp() END,
  CASE WHEN e.state = 'retrying' THEN clock_timestamp() + ${PAUSE('1', '$4::float8', '$5::float8')} END
FROM ROWS FROM (jsonb_to_recordset($3::jsonb) AS (topic text, off bigint, id uuid, version int, bucket smallint,
  key text, payload text, traceparent text, occurred_at_ms bigint, is_replay boolean, state text, error text))
  WITH ORDINALITY
  AS e(topic, off, id, version, bucket, key, payload, traceparent, occurred_at_ms, is_replay, state, error, n)
ORDER BY e.n`

/** Parks events in their order. */
export async function parkEvents(
  tx: Transaction,
  scope: PositionScope,
  parking: { readonly events: readonly ToPark[]; readonly backoff: Backoff },
): Promise<void> {
  const rows = parking.events.map(({ event, state, error, isReplay }) => ({
    topic: event.topic,
    off: event.offset,
    id: event.envelope.id,
    version: event.envelope.version,
    bucket: event.envelope.bucket,
    key: event.envelope.key,
    payload: JSON.stringify(event.envelope.payload),
    traceparent: event.envelope.traceparent,
    occurred_at_ms: event.envelope.occurredAtMs,
    is_replay: isReplay,
    state,
    error,
  }))
  const { minMs, maxMs } = parking.backoff
  await tx.query(PARK, [scope.group, scope.source, JSON.stringify(rows), minMs, maxMs])
}

const LOAD_KEYS = `SELECT DISTINCT key FROM groundswell.parked_event WHERE grp = $1 AND source = $2`

/** Keys that have parked events. */
export async function loadParkedKeys(target: Queryable, scope: PositionScope): Promise<Set<string>> {
  const rows = await target.query<{ key: string }>(LOAD_KEYS, [scope.group, scope.source])
  return new Set(rows.map((row) => row.key))
}

const DUE = `
SELECT seq, attempts, is_replay AS "isReplay", topic, off, id, version, bucket, key, payload, traceparent,
  occurred_at_ms AS "occurredAtMs"
FROM groundswell.parked_event
WHERE grp = $1 AND source = $2 AND state = 'retrying' AND next_attempt_at <= clock_timestamp()
ORDER BY next_attempt_at LIMIT $3`

type DueRow = {
  readonly seq: number
  readonly attempts: number
  readonly isReplay: boolean
  readonly topic: string
  readonly off: number
  readonly id: string
  readonly version: number
  readonly bucket: number
  readonly key: string
  readonly payload: string
  readonly traceparent: string
  readonly occurredAtMs: number
}

/** Parked events whose attempt is due, no two of the same key. */
export async function dueEvents(target: Queryable, scope: PositionScope, limit: number): Promise<readonly DueEvent[]> {
  const rows = await target.query<DueRow>(DUE, [scope.group, scope.source, limit])
  return rows.map(({ seq, attempts, isReplay, topic, off, payload, ...rest }) => ({
    seq,
    attempts,
    isReplay,
    event: { topic, offset: off, envelope: { ...rest, type: topic, payload: JSON.parse(payload) as unknown } },
  }))
}

const TAKE = `DELETE FROM groundswell.parked_event WHERE seq = ANY ($1::bigint[]) AND state = 'retrying' RETURNING 1`

const PROMOTE = `
UPDATE groundswell.parked_event AS p SET state = 'retrying', attempts = 0, next_attempt_at = clock_timestamp()
FROM unnest($3::text[]) AS done(key)
WHERE p.seq = (
  SELECT seq FROM groundswell.parked_event WHERE grp = $1 AND source = $2 AND key = done.key ORDER BY seq LIMIT 1
) AND p.state = 'waiting'
RETURNING p.key`

/**
 * Removes parked events whose handlers run in this transaction, and makes the next of each key due. `taken` is false
 * when somebody else was faster with any of them: roll back. `keysLeft` still have parked events.
 */
export async function takeParked(
  tx: Transaction,
  scope: PositionScope,
  events: readonly DueEvent[],
): Promise<{ taken: boolean; keysLeft: ReadonlySet<string> }> {
  const [taken, promoted] = await Promise.all([
    tx.query(TAKE, [events.map((due) => due.seq)]),
    tx.query<{ key: string }>(PROMOTE, [scope.group, scope.source, events.map((due) => due.event.envelope.key)]),
  ])
  return { taken: taken.length === events.length, keysLeft: new Set(promoted.map((row) => row.key)) }
}

const FAIL = `
UPDATE groundswell.parked_event
SET attempts = attempts + 1, error = $2, last_failed_at = clock_timestamp(),
  first_failed_at = coalesce(first_failed_at, clock_timestamp()),
  state = CASE WHEN attempts + 1 >= $3 THEN 'dead' ELSE 'retrying' END,
  next_attempt_at = clock_timestamp() + ${PAUSE('(attempts + 1)', '$4::float8', '$5::float8')}
WHERE seq = $1 AND state = 'retrying' AND attempts = $6
RETURNING state, attempts`

export type Failure = {
  readonly due: DueEvent
  readonly error: string
  /** Attempts after which the event is a dead letter. */
  readonly attemptsMax: number
  readonly backoff: Backoff
}

/** Counts a failed attempt; undefined when somebody else has changed the event meanwhile. */
export async function failParked(
  target: Queryable,
  failure: Failure,
): Promise<{ state: 'retrying' | 'dead'; attempts: number } | undefined> {
  const { due, error, attemptsMax, backoff } = failure
  const [row] = await target.query<{ state: 'retrying' | 'dead'; attempts: number }>(FAIL, [
    due.seq,
    error,
    attemptsMax,
    backoff.minMs,
    backoff.maxMs,
    due.attempts,
  ])
  return row
}

const PROMOTE_ORPHANS = `
UPDATE groundswell.parked_event SET state = 'retrying', attempts = 0, next_attempt_at = clock_timestamp()
WHERE seq IN (
  SELECT DISTINCT ON (key) seq FROM groundswell.parked_event WHERE grp = $1 AND source = $2 ORDER BY key, seq
) AND state = 'waiting'`

/** Makes events due that wait behind nothing, which happens when an operator deletes a row. */
export async function promoteOrphans(target: Queryable, scope: PositionScope): Promise<void> {
  await target.query(PROMOTE_ORPHANS, [scope.group, scope.source])
}
