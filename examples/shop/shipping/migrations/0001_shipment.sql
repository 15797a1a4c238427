CREATE SCHEMA shipping;

CREATE TABLE shipping.shipment (
  bucket smallint NOT NULL,
  order_id uuid NOT NULL,
  user_id bigint NOT NULL,
  -- Unknown until the order itself has arrived.
  recipient text,
  tracking_number text,
  state text NOT NULL CHECK (state IN ('waiting', 'dispatched', 'cancelled')),
  PRIMARY KEY (bucket, order_id),
  CHECK (bucket = mod(user_id, 5040))
) WITH (fillfactor = 45);
SELECT groundswell.guard_table('shipping.shipment');
