CREATE SCHEMA inventory;

-- One row a product, changed once a batch: half of each page stays free, so that new versions stay on their page (HOT).
CREATE TABLE inventory.stock (
  sku text PRIMARY KEY,
  available bigint NOT NULL CHECK (available >= 0)
) WITH (fillfactor = 50);

-- What was decided for each order. `lines` is JSON: what a release gives back. Text, since nothing in SQL looks inside.
CREATE TABLE inventory.reservation (
  order_id uuid PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('reserved', 'rejected', 'released')),
  lines text NOT NULL
) WITH (fillfactor = 80);
