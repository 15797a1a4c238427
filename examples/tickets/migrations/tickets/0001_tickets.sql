CREATE SCHEMA tickets;

CREATE TABLE tickets.tickets (
  bucket smallint NOT NULL,
  user_id bigint NOT NULL,
  ticket_id uuid NOT NULL,
  PRIMARY KEY (bucket, ticket_id),
  CHECK (bucket = mod(user_id, 5040))
);

SELECT groundswell.guard_table('tickets.tickets');
