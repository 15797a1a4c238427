-- What makes a PostgreSQL database a shard: who it is, which buckets it owns, and the guard that refuses rows of
-- others.
CREATE SCHEMA IF NOT EXISTS groundswell;

-- One row: which shard of which cluster this database is, so that URLs in another order are refused.
CREATE TABLE groundswell.shard_identity (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  cluster_id uuid NOT NULL,
  shard smallint NOT NULL,
  shards smallint NOT NULL
);

-- The buckets of this shard, one row each. Only `owned` ones may be written; a move passes through the other states.
CREATE TABLE groundswell.shard_bucket (
  bucket smallint PRIMARY KEY CHECK (bucket BETWEEN 0 AND 5039),
  state text NOT NULL CHECK (state IN ('owned', 'fenced', 'incoming', 'absent')),
  epoch bigint NOT NULL DEFAULT 1
);

-- Which shard has which bucket: read from the home shard (shard 0), empty elsewhere.
CREATE TABLE groundswell.bucket_directory (
  bucket smallint PRIMARY KEY CHECK (bucket BETWEEN 0 AND 5039),
  shard smallint NOT NULL CHECK (shard >= 0)
);
CREATE TABLE groundswell.directory_epoch (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch bigint NOT NULL
);

-- The buckets in state `owned` as one value, bit n for bucket n, kept by a trigger. The guard reads this instead of
-- shard_bucket: one small row needs no plan, where a join of 200 rows with 5040 was seen to take 100 ms.
CREATE TABLE groundswell.owned_buckets (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  bits bit varying NOT NULL CHECK (length(bits) = 5040)
);
INSERT INTO groundswell.owned_buckets (bits) VALUES (repeat('0', 5040)::bit varying);

CREATE FUNCTION groundswell.keep_owned_buckets() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- Locked by a statement of its own, so that the next one sees what another move has just committed.
  PERFORM FROM groundswell.owned_buckets FOR UPDATE;
  UPDATE groundswell.owned_buckets SET bits = (
    SELECT string_agg(CASE WHEN kept.state = 'owned' THEN '1' ELSE '0' END, '' ORDER BY n)::bit varying
      FROM generate_series(0, 5039) n LEFT JOIN groundswell.shard_bucket kept ON kept.bucket = n);
  RETURN NULL;
END $$;
CREATE TRIGGER keep_owned_buckets AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON groundswell.shard_bucket
  FOR EACH STATEMENT EXECUTE FUNCTION groundswell.keep_owned_buckets();

-- The bucket of a key, the same as bucketOf() in src/data/bucket.ts: text by the first four bytes of its MD5 in UTF-8.
DO $$
BEGIN
  IF current_setting('server_encoding') <> 'UTF8' THEN
    RAISE EXCEPTION 'the database must be encoded in UTF8, not %: buckets of text are made of its bytes',
      current_setting('server_encoding');
  END IF;
END $$;
CREATE FUNCTION groundswell.bucket_of(key bigint) RETURNS smallint
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN mod(key, 5040)::smallint;
CREATE FUNCTION groundswell.bucket_of(key text) RETURNS smallint
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN mod(('x' || left(md5(key), 8))::bit(32)::bigint, 5040)::smallint;

-- The guard: refuses a statement that wrote a row of a bucket that this shard does not own. Once per statement, not per
-- row. It takes no lock. Whoever fences a bucket must therefore wait until every transaction that ran at that moment
-- has ended (pg_snapshot_xmin(pg_current_snapshot()) beyond the fence): only those may have read the bucket as owned.
-- Needs READ COMMITTED, where each statement here sees what was committed before it. Does not fire for logical
-- replication.
CREATE FUNCTION groundswell.refuse_foreign_buckets() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  owned bit varying;
  foreign_bucket smallint;
BEGIN
  SELECT bits INTO STRICT owned FROM groundswell.owned_buckets;
  SELECT written.bucket INTO foreign_bucket FROM written
    WHERE CASE WHEN written.bucket BETWEEN 0 AND 5039 THEN get_bit(owned, written.bucket) = 0 ELSE true END LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'SH001',
      MESSAGE = format('bucket %s of %I.%I is not owned by this shard', foreign_bucket, TG_TABLE_SCHEMA, TG_TABLE_NAME),
      HINT = 'The row belongs to another shard: read the shard directory again.';
  END IF;
  RETURN NULL;
END $$;

-- Puts the guard on a table. Every sharded table calls it in its migration; calling it again changes nothing.
CREATE FUNCTION groundswell.guard_table(guarded regclass) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM pg_attribute
    WHERE attrelid = guarded AND attname = 'bucket' AND atttypid = 'smallint'::regtype
      AND attnotnull AND NOT attisdropped;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'table % needs a column "bucket smallint NOT NULL" to be guarded', guarded;
  END IF;
  EXECUTE format('CREATE OR REPLACE TRIGGER guard_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION groundswell.refuse_foreign_buckets()', guarded);
  EXECUTE format('CREATE OR REPLACE TRIGGER guard_update AFTER UPDATE ON %s REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION groundswell.refuse_foreign_buckets()', guarded);
END $$;
