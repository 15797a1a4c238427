CREATE SCHEMA orders;

-- One row an order. Its later life only fills columns that no index has, and pages keep half their room free for it,
-- so that all three updates of an order stay on its page (HOT) and cost no index write. `lines` is JSON as it was
-- priced at the time.
CREATE TABLE orders.orders (
  bucket smallint NOT NULL,
  order_id uuid NOT NULL,
  user_id bigint NOT NULL,
  lines text NOT NULL,
  total_cents bigint NOT NULL,
  status text NOT NULL DEFAULT 'placed' CHECK (status IN ('placed', 'confirmed', 'shipped', 'rejected')),
  reason text,
  payment text,
  stock text,
  moved boolean NOT NULL DEFAULT false,
  placed_at_ms bigint NOT NULL,
  payment_at_ms bigint,
  stock_at_ms bigint,
  decided_at_ms bigint,
  shipped_at_ms bigint,
  PRIMARY KEY (bucket, order_id),
  CHECK (bucket = mod(user_id, 5040))
) WITH (fillfactor = 50);
CREATE INDEX orders_of_user ON orders.orders (bucket, user_id, order_id);
SELECT groundswell.guard_table('orders.orders');

-- The moves of an order: see facts.ts. Null words are facts that are not in yet.
CREATE FUNCTION orders.next_status(status text, payment text, stock text, shipped boolean) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
  WHEN status = 'placed' AND (payment = 'declined' OR stock = 'rejected') THEN 'rejected'
  WHEN status = 'placed' AND payment = 'authorized' AND stock = 'reserved' THEN 'confirmed'
  WHEN status = 'confirmed' AND shipped THEN 'shipped'
  ELSE status
END;

-- What accepting an order needs of other services: the shard's customers, and every product.
CREATE TABLE orders.customer (
  bucket smallint NOT NULL,
  user_id bigint NOT NULL,
  email text NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (bucket, user_id),
  CHECK (bucket = mod(user_id, 5040))
);
SELECT groundswell.guard_table('orders.customer');

CREATE TABLE orders.product (
  sku text PRIMARY KEY,
  price_cents bigint NOT NULL,
  version bigint NOT NULL
);
