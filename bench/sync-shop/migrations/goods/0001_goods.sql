CREATE SCHEMA goods;

-- Name and price apart from what is left: a price is read by every order, and must not wait for the row that every
-- order changes.
CREATE TABLE goods.product (
  sku text PRIMARY KEY,
  name text NOT NULL,
  price_cents bigint NOT NULL
);

CREATE TABLE goods.stock (
  sku text PRIMARY KEY,
  available bigint NOT NULL CHECK (available >= 0)
) WITH (fillfactor = 50);

CREATE TABLE goods.reservation (
  order_id uuid PRIMARY KEY,
  lines text NOT NULL
);
