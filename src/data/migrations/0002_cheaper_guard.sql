-- The same guard without a search_path of its own: setting and restoring one at each call cost as much as the check.
-- Names outside pg_catalog are qualified; it runs with the rights of whoever writes, so that a foreign search_path
-- gains nobody anything.
CREATE OR REPLACE FUNCTION groundswell.refuse_foreign_buckets() RETURNS trigger
  LANGUAGE plpgsql AS $$
DECLARE
  owned bit varying;
  foreign_bucket smallint;
BEGIN
  SELECT bits INTO STRICT owned FROM groundswell.owned_buckets;
  SELECT written.bucket INTO foreign_bucket FROM written
    WHERE CASE WHEN written.bucket BETWEEN 0 AND 5039
      THEN pg_catalog.get_bit(owned, written.bucket) OPERATOR(pg_catalog.=) 0 ELSE true END LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'SH001',
      MESSAGE = pg_catalog.format(
        'bucket %s of %I.%I is not owned by this shard', foreign_bucket, TG_TABLE_SCHEMA, TG_TABLE_NAME),
      HINT = 'The row belongs to another shard: read the shard directory again.';
  END IF;
  RETURN NULL;
END $$;
