-- Answers to writes that came with an Idempotency-Key, claimed in the write's own transaction and kept for a day.
-- Rows are inserted once, never updated, and purged oldest first, so no index but the key's own pays for itself.
CREATE TABLE groundswell.idempotency_key (
  bucket smallint NOT NULL,
  scope text NOT NULL,
  key text NOT NULL,
  fingerprint text NOT NULL,
  response text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (bucket, scope, key)
);

SELECT groundswell.guard_table('groundswell.idempotency_key');
