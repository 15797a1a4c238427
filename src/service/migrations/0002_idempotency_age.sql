-- For the purge: without it, every round reads the whole table to find that nothing is old enough. Rows come in order
-- of their time, so a summary per range of pages does, at next to no cost for the insert.
CREATE INDEX idempotency_key_created_at ON groundswell.idempotency_key
  USING brin (created_at) WITH (pages_per_range = 32, autosummarize = on);
