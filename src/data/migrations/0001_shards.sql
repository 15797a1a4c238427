-- What makes a PostgreSQL database a shard: who it is, which buckets it owns, and the guard that refuses rows of others.
CREATE SCHEMA IF NOT EXISTS groundswell;

-- One row: which shard of which cluster this database is, so that URLs in another order are refused.
CREATE TABLE groundswell.shard_identity (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  cluster_id uuid NOT NULL,
  shard smallint NOT NULL,
  shards smallint NOT NULL
);

-- The buckets of this shard. Only `owned` ones may be written; a move passes through the other states.
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

-- The bucket of a key, the same as bucketOf() in src/data/bucket.ts.
CREATE FUNCTION groundswell.bucket_of(key bigint) RETURNS smallint
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN (mod(key, 5040))::smallint;
CREATE FUNCTION groundswell.bucket_of(key text) RETURNS smallint
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
  RETURN (mod(('x' || left(md5(key), 8))::bit(32)::bigint & 4294967295, 5040))::smallint;

-- Refuses a statement that wrote a row of a bucket that this shard does not own: once per statement, not per row.
CREATE FUNCTION groundswell.refuse_foreign_buckets() RETURNS trigger
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  foreign_bucket smallint;
BEGIN
  SELECT written.bucket INTO foreign_bucket
    FROM written LEFT JOIN groundswell.shard_bucket owned ON owned.bucket = written.bucket AND owned.state = 'owned'
    WHERE owned.bucket IS NULL LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'SH001',
      MESSAGE = format('bucket %s of %I.%I is not owned by this shard', foreign_bucket, TG_TABLE_SCHEMA, TG_TABLE_NAME),
      HINT = 'The row belongs to another shard: read the shard directory again.';
  END IF;
  RETURN NULL;
END $$;

-- Puts the guard on a table that has a column `bucket`. Every sharded table must call it in its migration.
CREATE FUNCTION groundswell.guard_table(guarded regclass) RETURNS void
  LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER guard_insert AFTER INSERT ON %s REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION groundswell.refuse_foreign_buckets()', guarded);
  EXECUTE format('CREATE TRIGGER guard_update AFTER UPDATE ON %s REFERENCING NEW TABLE AS written
    FOR EACH STATEMENT EXECUTE FUNCTION groundswell.refuse_foreign_buckets()', guarded);
END $$;
