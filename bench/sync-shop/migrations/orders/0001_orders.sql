CREATE SCHEMA orders;

CREATE TABLE orders.orders (
  bucket smallint NOT NULL,
  order_id uuid NOT NULL,
  user_id bigint NOT NULL,
  lines text NOT NULL,
  total_cents bigint NOT NULL,
  status text NOT NULL CHECK (status IN ('placed', 'shipped', 'rejected')),
  reason text,
  placed_at_ms bigint NOT NULL,
  PRIMARY KEY (bucket, order_id),
  CHECK (bucket = mod(user_id, 5040))
) WITH (fillfactor = 50);
CREATE INDEX orders_of_user ON orders.orders (bucket, user_id, order_id);
SELECT groundswell.guard_table('orders.orders');

CREATE TABLE orders.payment (
  bucket smallint NOT NULL,
  order_id uuid NOT NULL,
  user_id bigint NOT NULL,
  amount_cents bigint NOT NULL,
  state text NOT NULL,
  PRIMARY KEY (bucket, order_id)
);
SELECT groundswell.guard_table('orders.payment');

CREATE TABLE orders.message (
  bucket smallint NOT NULL,
  order_id uuid NOT NULL,
  recipient text NOT NULL,
  subject text NOT NULL,
  body text NOT NULL,
  sent_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (bucket, order_id)
);
SELECT groundswell.guard_table('orders.message');

CREATE TABLE orders.shipment (
  bucket smallint NOT NULL,
  order_id uuid NOT NULL,
  recipient text NOT NULL,
  tracking_number text NOT NULL,
  PRIMARY KEY (bucket, order_id)
);
SELECT groundswell.guard_table('orders.shipment');

-- The books of the simulated payment provider, as in the shop.
CREATE TABLE orders.charge (
  bucket smallint NOT NULL,
  idempotency_key uuid NOT NULL,
  amount_cents bigint NOT NULL,
  state text NOT NULL,
  PRIMARY KEY (bucket, idempotency_key)
);
SELECT groundswell.guard_table('orders.charge');
