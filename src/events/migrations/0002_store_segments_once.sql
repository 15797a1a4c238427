-- The text of a segment is written once, by the transaction that emitted its events, and never touched again. Outbox
-- and log only name it, so that moving a segment from one to the other costs two short rows, not its text again: text
-- was a third of all that an order wrote.
CREATE TABLE groundswell.segment (
  -- Id of its first event: known before it is written, and in order of time.
  id uuid PRIMARY KEY,
  records text NOT NULL
) WITH (autovacuum_vacuum_insert_threshold = -1);
-- Compressing would cost more than writing.
ALTER TABLE groundswell.segment ALTER COLUMN records SET STORAGE EXTERNAL;

ALTER TABLE groundswell.outbox ADD COLUMN segment uuid;
UPDATE groundswell.outbox SET segment = (records::jsonb -> 0 ->> 0)::uuid;
INSERT INTO groundswell.segment (id, records) SELECT segment, records FROM groundswell.outbox;
ALTER TABLE groundswell.outbox ALTER COLUMN segment SET NOT NULL, DROP COLUMN records;

ALTER TABLE groundswell.log_segment ADD COLUMN segment uuid;
UPDATE groundswell.log_segment SET segment = (records::jsonb -> 0 ->> 0)::uuid;
INSERT INTO groundswell.segment (id, records) SELECT segment, records FROM groundswell.log_segment;
ALTER TABLE groundswell.log_segment ALTER COLUMN segment SET NOT NULL, DROP COLUMN records;
