-- What the processes of the application tell each other of what they measured, for a minute: see
-- src/telemetry/exchange.ts. Unlogged: it costs no WAL, and a crash of the server empties it, which loses nothing that
-- anybody would look for.
CREATE SCHEMA IF NOT EXISTS groundswell;
CREATE UNLOGGED TABLE groundswell.telemetry_exchange (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  -- The process that wrote it.
  instance text COLLATE "C" NOT NULL,
  kind text COLLATE "C" NOT NULL,
  payload bytea NOT NULL,
  written_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (
  -- A few rows a second that live for a minute: keep the file small, and do it often.
  autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_insert_threshold = -1,
  vacuum_truncate = false
);
ALTER TABLE groundswell.telemetry_exchange ALTER COLUMN payload SET STORAGE EXTERNAL;
CREATE INDEX telemetry_exchange_age ON groundswell.telemetry_exchange (written_at);
