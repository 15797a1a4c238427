-- What transactions invalidated: one row per tag, written by the transaction that changed the rows the tag stands for.
-- Every process follows this table; that is what makes an invalidation certain. Of each tag only the newest row counts.
CREATE TABLE groundswell.cache_invalidation (
  tag text NOT NULL CHECK (length(tag) BETWEEN 1 AND 200),
  xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
  written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (tag, xid)
);

CREATE INDEX cache_invalidation_xid ON groundswell.cache_invalidation (xid);

-- The highest transaction whose rows were deleted without a newer one of their tag.
CREATE TABLE groundswell.cache_floor (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  xid xid8 NOT NULL DEFAULT '0'
);

INSERT INTO groundswell.cache_floor DEFAULT VALUES;
