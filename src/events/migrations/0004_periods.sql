-- What is written in one period of time is stored together, and dropped together once it is too old: a table is dropped
-- at once, however large, where deleting its rows would be work for the database twice over, by DELETE and by vacuum.
--
-- Segments and their places in the log are divided by the same `written_at`, that of the statement which wrote the
-- segment, so that a period takes both along. Rows are found by the key of each table: the divided tables themselves
-- have no index.
CREATE TABLE groundswell.log_period (
  -- Part of the names of its tables: segment_<id> and log_segment_<id>.
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- From, inclusive, and to, exclusive. Periods follow on one another; the next ones exist ahead of their time.
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL
);

-- Offsets below it were dropped with their periods: a group that has not come there yet has missed them.
ALTER TABLE groundswell.log_head ADD COLUMN first_offset bigint NOT NULL DEFAULT 0;

-- Adds the period that follows on the last one, until `until`.
CREATE FUNCTION groundswell.add_log_period(until timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  period groundswell.log_period;
BEGIN
  INSERT INTO groundswell.log_period (starts_at, ends_at)
  SELECT coalesce(max(ends_at), '-infinity'), until FROM groundswell.log_period RETURNING * INTO period;
  EXECUTE format(
    'CREATE TABLE groundswell.segment_%1$s (LIKE groundswell.segment INCLUDING ALL, PRIMARY KEY (id))
       WITH (autovacuum_vacuum_insert_threshold = -1);
     CREATE TABLE groundswell.log_segment_%1$s (LIKE groundswell.log_segment INCLUDING ALL,
       PRIMARY KEY (topic, last_offset))',
    period.id);
  -- Attaching an empty table takes no lock that a writer or reader would wait for; creating it in its place would.
  EXECUTE format(
    'ALTER TABLE groundswell.segment ATTACH PARTITION groundswell.segment_%1$s FOR VALUES FROM (%2$L) TO (%3$L);
     ALTER TABLE groundswell.log_segment ATTACH PARTITION groundswell.log_segment_%1$s
       FOR VALUES FROM (%2$L) TO (%3$L)',
    period.id, period.starts_at, period.ends_at);
END
$$;

-- Adds periods until one ends `ahead` of now. Returns how many.
CREATE FUNCTION groundswell.extend_log(period interval, ahead interval) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  added int := 0;
  last_end timestamptz;
BEGIN
  -- One at a time: the others then find nothing left to do. The number has no meaning.
  PERFORM pg_advisory_xact_lock(5040002);
  LOOP
    SELECT max(ends_at) INTO last_end FROM groundswell.log_period;
    EXIT WHEN last_end >= clock_timestamp() + ahead;
    -- When nobody has done this for long, one period covers all that time.
    PERFORM groundswell.add_log_period(greatest(last_end, clock_timestamp()) + period);
    added := added + 1;
  END LOOP;
  RETURN added;
END
$$;

-- Drops a period, unless events of it still wait in the outbox; returns whether it did. Locks out writers and readers
-- until the end of the transaction: call it alone in one, with a lock_timeout.
CREATE FUNCTION groundswell.drop_log_period(period int) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  -- In this order, since that is how a drain takes them. Whoever wrote a segment of the period has committed after it.
  LOCK TABLE ONLY groundswell.log_segment, ONLY groundswell.segment IN ACCESS EXCLUSIVE MODE;
  IF NOT EXISTS (SELECT FROM groundswell.log_period WHERE id = period) OR EXISTS (
    SELECT FROM groundswell.outbox WHERE written_at < (SELECT ends_at FROM groundswell.log_period WHERE id = period)
  ) THEN
    RETURN false;
  END IF;
  EXECUTE format(
    'UPDATE groundswell.log_head AS h SET first_offset = last_offset + 1
     FROM groundswell.log_head AS o, LATERAL (
       SELECT last_offset FROM groundswell.log_segment_%s AS l WHERE l.topic = o.topic ORDER BY last_offset DESC LIMIT 1
     ) AS dropped
     WHERE h.topic = o.topic AND last_offset >= h.first_offset', period);
  EXECUTE format('DROP TABLE groundswell.log_segment_%1$s, groundswell.segment_%1$s', period);
  DELETE FROM groundswell.log_period WHERE id = period;
  RETURN true;
END
$$;

-- What there is becomes the first period, which ends in a day: by then the next ones exist.
INSERT INTO groundswell.log_period (starts_at, ends_at) VALUES ('-infinity', now() + interval '1 day');

ALTER TABLE groundswell.segment ADD COLUMN written_at timestamptz;
UPDATE groundswell.segment AS s SET written_at = l.written_at FROM groundswell.log_segment AS l WHERE l.segment = s.id;
UPDATE groundswell.segment AS s SET written_at = o.written_at FROM groundswell.outbox AS o WHERE o.segment = s.id;
-- Named by nothing.
DELETE FROM groundswell.segment WHERE written_at IS NULL;
ALTER TABLE groundswell.segment
  ALTER COLUMN written_at SET NOT NULL, ALTER COLUMN written_at SET DEFAULT statement_timestamp();

ALTER TABLE groundswell.segment RENAME TO segment_1;
ALTER INDEX groundswell.segment_pkey RENAME TO segment_1_pkey;
ALTER TABLE groundswell.log_segment RENAME TO log_segment_1;
ALTER INDEX groundswell.log_segment_pkey RENAME TO log_segment_1_pkey;

CREATE TABLE groundswell.segment (LIKE groundswell.segment_1 INCLUDING DEFAULTS INCLUDING STORAGE)
  PARTITION BY RANGE (written_at);
CREATE TABLE groundswell.log_segment (LIKE groundswell.log_segment_1 INCLUDING DEFAULTS)
  PARTITION BY RANGE (written_at);

DO $$
DECLARE
  first groundswell.log_period;
BEGIN
  SELECT * INTO first FROM groundswell.log_period;
  EXECUTE format(
    'ALTER TABLE groundswell.segment ATTACH PARTITION groundswell.segment_1 FOR VALUES FROM (%1$L) TO (%2$L);
     ALTER TABLE groundswell.log_segment ATTACH PARTITION groundswell.log_segment_1 FOR VALUES FROM (%1$L) TO (%2$L)',
    first.starts_at, first.ends_at);
END
$$;
