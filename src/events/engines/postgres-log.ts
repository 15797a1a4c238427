import type { Queryable, Transaction } from '../../data/index.ts'
import type { LogCapabilities } from '../capabilities.ts'
import { eventsError } from '../errors.ts'
import type { Segment } from '../segment.ts'
import type { Written } from '../written.ts'

/**
 * The event log in PostgreSQL: business transactions insert into the outbox, the sequencer moves committed rows into
 * the log and gives them their offsets. Why it drains instead of keeping a cursor: docs/decisions/0006.
 */
export type OutboxRow = {
  /** Of the first event. */
  readonly id: string
  readonly topic: string
  readonly events: number
  readonly records: string
}

export type Drain = {
  readonly owner: string
  readonly epoch: number
  /** Positions below it hold no rows and never will: see {@link OutboxFloor}. */
  readonly floor: number
  readonly segmentsMax: number
  readonly leaseMs: number
  /** Whether to tell other processes. */
  readonly notify: boolean
  /** Segments by id that need not be read back, since this process wrote them. */
  readonly written: ReadonlyMap<string, Written>
}

export const POSTGRES: LogCapabilities = {
  name: 'PostgreSQL',
  sharedBy: 'shard',
  keepsRead: true,
  isolatesGroups: true,
  isReadByOthers: false,
  countsTaken: true,
}

/** Other processes listen here for "the log of this shard has grown". */
export const LOG_CHANNEL = 'groundswell_log'

// Records hold no line break, being JSON, so that joining them by one spares both sides the escaping of an array
// literal.
const INSERT_OUTBOX = `
WITH e AS MATERIALIZED (
  SELECT * FROM ROWS FROM (unnest($1::uuid[]), unnest($2::text[]), unnest($3::int[]), string_to_table($4, E'\\n'))
    WITH ORDINALITY AS e(id, topic, events, records, n)
), stored AS (
  INSERT INTO groundswell.segment (id, records) SELECT id, records FROM e
)
INSERT INTO groundswell.outbox (topic, events, segment) SELECT topic, events, id FROM e ORDER BY n`

/**
 * Adds rows to the outbox in their order. Not awaited, so that COMMIT travels with it: should it fail, so does COMMIT.
 */
export function insertOutbox(tx: Transaction, rows: readonly OutboxRow[]): void {
  void tx.query(INSERT_OUTBOX, [
    rows.map((row) => row.id),
    rows.map((row) => row.topic),
    rows.map((row) => row.events),
    rows.map((row) => row.records).join('\n'),
  ])
}

// One statement, hence one transaction. The lease is updated, not read, so that a process that takes it over waits for
// this drain, and a drain that waited for a takeover finds another epoch and moves nothing. Rows are found by ctid:
// they are never updated, and the statement's own snapshot keeps a ctid from being reused. Order by pos is order by
// lock per key.
const DRAIN = `
WITH due AS MATERIALIZED (
  SELECT ctid AS row_id FROM groundswell.outbox WHERE pos >= $3 ORDER BY pos LIMIT $4
), lease AS (
  UPDATE groundswell.lease SET expires_at = clock_timestamp() + $5 * interval '1 millisecond'
  WHERE name = 'sequencer' AND owner = $1 AND epoch = $2 AND EXISTS (SELECT FROM due)
  RETURNING CASE WHEN $6 THEN pg_notify('${LOG_CHANNEL}', '') END
), taken AS (
  DELETE FROM groundswell.outbox
  WHERE ctid = ANY (ARRAY(SELECT row_id FROM due WHERE EXISTS (SELECT FROM lease)))
  RETURNING pos, topic, events, segment, written_at
), ranked AS (
  SELECT *, sum(events) OVER (PARTITION BY topic ORDER BY pos DESC) AS from_end FROM taken
), head AS (
  INSERT INTO groundswell.log_head AS h (topic, next_offset)
  SELECT topic, sum(events) FROM taken GROUP BY topic ORDER BY topic
  ON CONFLICT (topic) DO UPDATE SET next_offset = h.next_offset + excluded.next_offset
  RETURNING topic, next_offset
)
INSERT INTO groundswell.log_segment AS l (topic, last_offset, events, segment, written_at)
SELECT r.topic, h.next_offset - r.from_end + r.events - 1, r.events, r.segment, r.written_at
FROM ranked AS r JOIN head AS h USING (topic)
ORDER BY r.topic, r.from_end DESC
RETURNING topic, last_offset AS "lastOffset", events, segment AS id,
  CASE WHEN segment <> ALL ($7::uuid[]) THEN (
    SELECT records FROM groundswell.segment AS s WHERE s.id = l.segment AND s.written_at = l.written_at
  ) END AS records`

/**
 * Moves the oldest committed outbox rows to the log, in the order of their positions, and returns them. Returns none
 * when nothing is there or when the lease has gone to another epoch. Exactly once: a row is deleted and appended
 * together.
 */
export async function drainOutbox(shard: Queryable, drain: Drain): Promise<readonly Segment[]> {
  const { owner, epoch, floor, segmentsMax, leaseMs, notify, written } = drain
  const known = [...written.keys()]
  const rows = await shard.query<Omit<Segment, 'records'> & { readonly id: string; readonly records: string | null }>(
    DRAIN,
    [owner, epoch, floor, segmentsMax, leaseMs, notify, known],
  )
  return rows.map((row) => {
    const { records = '', emitted } = written.get(row.id) ?? {}
    return { ...row, records: row.records ?? records, emitted }
  })
}

// `before` ends the read at enough events; what is cut off is not even fetched from where large texts are kept.
const READ = `
SELECT s.topic, s.last_offset AS "lastOffset", s.events, s.segment AS id, t.records
FROM unnest($1::text[], $2::bigint[]) WITH ORDINALITY AS wanted(topic, next_offset, n)
CROSS JOIN LATERAL (
  SELECT l.*, sum(l.events) OVER (ORDER BY l.last_offset) - l.events AS before
  FROM groundswell.log_segment AS l
  WHERE l.topic = wanted.topic AND l.last_offset >= wanted.next_offset
  ORDER BY l.last_offset LIMIT $3
) AS s
JOIN groundswell.segment AS t ON t.id = s.segment AND t.written_at = s.written_at
WHERE s.before < $3
ORDER BY wanted.n, s.last_offset`

/** About `eventsMax` events of each topic from the given offset on; the first segment may begin before it. */
export function readLog(
  shard: Queryable,
  wanted: ReadonlyMap<string, number>,
  eventsMax: number,
): Promise<readonly Segment[]> {
  return shard.query<Segment>(READ, [[...wanted.keys()], [...wanted.values()], eventsMax])
}

/** Next offset of every topic that the shard's log holds. */
export async function readHeads(shard: Queryable): Promise<ReadonlyMap<string, number>> {
  const rows = await shard.query<{ topic: string; nextOffset: number }>(
    'SELECT topic, next_offset AS "nextOffset" FROM groundswell.log_head',
  )
  return new Map(rows.map((row) => [row.topic, row.nextOffset]))
}

/**
 * As `readHeads`, after a drain of this process whose answer got lost and which may still be under way: its lock on the
 * lease is waited for first.
 */
export async function readSettledHeads(shard: Queryable): Promise<ReadonlyMap<string, number>> {
  await shard.query(`SELECT FROM groundswell.lease WHERE name = 'sequencer' FOR UPDATE`)
  return readHeads(shard)
}

/** Tells other processes that the log of the shard has grown. */
export async function notifyReaders(shard: Queryable): Promise<void> {
  await shard.query(`SELECT pg_notify('${LOG_CHANNEL}', '')`)
}

const SEQUENCE_CACHE = `
SELECT seqcache AS cache FROM pg_catalog.pg_sequence
WHERE seqrelid = pg_get_serial_sequence('groundswell.outbox', 'pos')::regclass`

/** Throws EVENTS_OUTBOX_SEQUENCE_CACHED unless positions are given out one by one. */
export async function assertSequenceUncached(shard: Queryable, label: string): Promise<void> {
  const [row] = await shard.query<{ cache: number }>(SEQUENCE_CACHE)
  if (row?.cache === 1) return
  throw eventsError(
    'EVENTS_OUTBOX_SEQUENCE_CACHED',
    `${label}: the outbox sequence caches ${row?.cache} values per connection, which breaks the order of events: run ALTER SEQUENCE groundswell.outbox_pos_seq CACHE 1`,
  )
}

const LAST_POSITION = `SELECT last_value AS position FROM groundswell.outbox_pos_seq`
const WRITERS = `
SELECT DISTINCT virtualtransaction AS writer FROM pg_catalog.pg_locks
WHERE locktype = 'relation' AND relation = 'groundswell.outbox'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())`

/**
 * Finds the position below which the outbox will never again hold a row, so that a drain need not walk over the index
 * entries of all that was deleted: a long transaction in the same database keeps them from being vacuumed. A position
 * is taken while holding a lock on the table, which lasts until the end of the transaction. So: note the last position,
 * then the writers; once each of those has ended, no row up to that position can appear any more; once a drain that
 * began after that has emptied the outbox, none is left.
 */
export class OutboxFloor {
  /** Positions below it are done with. */
  position = 0
  /** Positions up to it are committed or gone; the next complete drain settles them. */
  ended = 0
  private candidate = 0
  private writers: ReadonlySet<string> | undefined

  /** Looks for writers once; call it again and again. */
  async look(shard: Queryable): Promise<void> {
    if (this.writers === undefined) {
      const [last] = await shard.query<{ position: number }>(LAST_POSITION)
      this.candidate = last?.position ?? 0
    }
    const now = new Set((await shard.query<{ writer: string }>(WRITERS)).map((row) => row.writer))
    this.writers = this.writers === undefined ? now : new Set([...this.writers].filter((writer) => now.has(writer)))
    if (this.writers.size > 0) return
    this.ended = this.candidate
    this.writers = undefined
  }

  /** A drain that began when `ended` had this value found no more rows than it could take. */
  emptied(ended: number): void {
    this.position = Math.max(this.position, ended)
  }
}
