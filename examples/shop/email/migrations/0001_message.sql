CREATE SCHEMA email;

-- What was sent, once per event. Written once and never changed.
CREATE TABLE email.message (
  bucket smallint NOT NULL,
  event_id uuid NOT NULL,
  order_id uuid NOT NULL,
  recipient text NOT NULL,
  subject text NOT NULL,
  body text NOT NULL,
  sent_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (bucket, event_id)
);
SELECT groundswell.guard_table('email.message');
