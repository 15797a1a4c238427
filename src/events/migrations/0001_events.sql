-- Events on one shard: the outbox that business transactions write, the log that the sequencer makes of it, how far
-- each consumer group has come, and what is parked. Every shard has all of them; partition s of a topic lives in
-- shard s.
--
-- Rows hold segments, not events: those events of one transaction that share a topic, as one JSON text of the form
--   [[id, version, bucket, key, traceparent, occurredAtMs, payload], …]
-- Insert, delete and insert again are paid per segment, which made events five to ten times cheaper than a row each.
-- The text holds no line break, and PostgreSQL never looks inside; people can: SELECT
-- jsonb_array_elements(records::jsonb) ….
CREATE SCHEMA IF NOT EXISTS groundswell;

-- Written by business transactions, emptied by the sequencer. A staging area: never read by consumers, since `pos` is
-- taken in another order than that in which transactions commit. Rows of one key do commit in the order of `pos`,
-- because `pos` is taken after the rows of the key were locked; that needs CACHE 1, which every start checks.
CREATE TABLE groundswell.outbox (
  pos bigint GENERATED ALWAYS AS IDENTITY (CACHE 1) PRIMARY KEY,
  topic text COLLATE "C" NOT NULL,
  events int NOT NULL CHECK (events > 0),
  records text NOT NULL,
  written_at timestamptz NOT NULL DEFAULT statement_timestamp()
) WITH (
  -- Rows live for milliseconds: vacuum by their count, unthrottled, and keep the file, since it fills again at once.
  autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0,
  autovacuum_vacuum_insert_threshold = -1, vacuum_truncate = false,
  toast.autovacuum_vacuum_threshold = 10000, toast.autovacuum_vacuum_scale_factor = 0,
  toast.autovacuum_vacuum_cost_delay = 0, toast.vacuum_truncate = false
);
-- Compressing would cost more than writing.
ALTER TABLE groundswell.outbox ALTER COLUMN records SET STORAGE EXTERNAL;

-- Next offset of each topic's partition on this shard.
CREATE TABLE groundswell.log_head (
  topic text COLLATE "C" PRIMARY KEY,
  next_offset bigint NOT NULL
) WITH (fillfactor = 50);

-- The log: immutable; the offsets of a topic are dense from 0, a segment holds `last_offset - events + 1` to
-- `last_offset`.
CREATE TABLE groundswell.log_segment (
  topic text COLLATE "C" NOT NULL,
  last_offset bigint NOT NULL,
  events int NOT NULL,
  records text NOT NULL,
  written_at timestamptz NOT NULL,
  PRIMARY KEY (topic, last_offset)
);
ALTER TABLE groundswell.log_segment ALTER COLUMN records SET STORAGE EXTERNAL;

-- Who works on this shard: `sequencer`, or `group:<name>`. A lease counts until `expires_at` by this database's
-- clock; every change of hands raises `epoch`, and a sequencer of an older epoch moves nothing.
CREATE TABLE groundswell.lease (
  name text COLLATE "C" PRIMARY KEY,
  owner text NOT NULL,
  epoch bigint NOT NULL,
  expires_at timestamptz NOT NULL
) WITH (fillfactor = 50);

-- Next offset that a group has to process of the partition `source` of a topic, advanced by compare-and-set in the
-- transaction of the effects. Where `source` is this shard, it is the group's position; elsewhere it is the inbox of
-- effects that land here although the event was written there. docs/decisions/0002-inbox-is-a-position.md
CREATE TABLE groundswell.consumer_position (
  grp text COLLATE "C" NOT NULL,
  source smallint NOT NULL,
  topic text COLLATE "C" NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (grp, source, topic)
) WITH (fillfactor = 50);

-- Events whose handler failed here, and the later ones of the same key, which wait behind them in the order of `seq`.
-- The first row of a key (of one group and source) is `retrying` or `dead`, all others are `waiting`:
--   (handler fails)          → retrying   attempts 1, due at next_attempt_at
--   (cannot be read)         → dead       unknown version, or a payload that breaks its schema
--   (key is parked already)  → waiting
--   retrying → (fails again) → retrying   attempts + 1, due later; at the limit → dead
--   retrying → (succeeds)    → row deleted; the key's next row: waiting → retrying, attempts 0, due at once
--   dead     → (redrive)     → retrying   attempts 0, due at once
CREATE TABLE groundswell.parked_event (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  grp text COLLATE "C" NOT NULL,
  source smallint NOT NULL,
  topic text COLLATE "C" NOT NULL,
  off bigint NOT NULL,
  id uuid NOT NULL,
  version int NOT NULL,
  bucket smallint NOT NULL,
  key text COLLATE "C" NOT NULL,
  payload text NOT NULL,
  traceparent text NOT NULL,
  occurred_at_ms bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('retrying', 'waiting', 'dead')),
  attempts int NOT NULL,
  error text,
  first_failed_at timestamptz,
  last_failed_at timestamptz,
  next_attempt_at timestamptz,
  UNIQUE (grp, source, topic, off)
);
CREATE INDEX parked_event_of_key ON groundswell.parked_event (grp, source, key, seq);
CREATE INDEX parked_event_due ON groundswell.parked_event (grp, source, next_attempt_at) WHERE state = 'retrying';
