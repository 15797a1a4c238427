-- Retention may be shorter than it was when periods were made, as it may be on the first day of the log, whose first
-- period was made by a migration that knows of no retention.

CREATE FUNCTION groundswell.log_period_is_empty(period int) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  empty boolean;
BEGIN
  EXECUTE format(
    'SELECT NOT EXISTS (SELECT FROM groundswell.segment_%1$s)
       AND NOT EXISTS (SELECT FROM groundswell.log_segment_%1$s)',
    period) INTO empty;
  RETURN empty;
END
$$;

-- Of the periods that go on for longer than `period`, the last ones first: those to come are dropped, and the one that
-- is under way ends a `period` from now, each only while nothing was written in it; what was stays as long as it would
-- have. Returns how many there were. Locks out writers and readers until the end of the transaction if there are any:
-- call it with a lock_timeout, and `extend_log` after it in the same transaction, for without a period nothing can be
-- written.
CREATE FUNCTION groundswell.shorten_log(period interval) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  changed int := 0;
  last groundswell.log_period;
  until timestamptz;
BEGIN
  PERFORM pg_advisory_xact_lock(5040002);
  LOOP
    SELECT * INTO last FROM groundswell.log_period ORDER BY id DESC LIMIT 1;
    EXIT WHEN last.ends_at - greatest(last.starts_at, clock_timestamp()) <= period;
    EXIT WHEN NOT groundswell.log_period_is_empty(last.id);
    -- In the order of `drop_log_period`. Whoever was writing in the period has committed after it.
    LOCK TABLE ONLY groundswell.log_segment, ONLY groundswell.segment IN ACCESS EXCLUSIVE MODE;
    EXIT WHEN NOT groundswell.log_period_is_empty(last.id);
    changed := changed + 1;
    until := clock_timestamp() + period;
    IF last.starts_at > clock_timestamp() THEN
      EXECUTE format('DROP TABLE groundswell.log_segment_%1$s, groundswell.segment_%1$s', last.id);
      DELETE FROM groundswell.log_period WHERE id = last.id;
    ELSE
      EXECUTE format(
        'ALTER TABLE groundswell.log_segment DETACH PARTITION groundswell.log_segment_%1$s;
         ALTER TABLE groundswell.segment DETACH PARTITION groundswell.segment_%1$s;
         ALTER TABLE groundswell.segment ATTACH PARTITION groundswell.segment_%1$s FOR VALUES FROM (%2$L) TO (%3$L);
         ALTER TABLE groundswell.log_segment ATTACH PARTITION groundswell.log_segment_%1$s
           FOR VALUES FROM (%2$L) TO (%3$L)',
        last.id, last.starts_at, until);
      UPDATE groundswell.log_period SET ends_at = until WHERE id = last.id;
      EXIT;
    END IF;
  END LOOP;
  RETURN changed;
END
$$;
