CREATE SCHEMA catalog;

-- Sorted by bytes, as SKUs are compared everywhere else.
CREATE TABLE catalog.product (
  sku text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  price_cents bigint NOT NULL CHECK (price_cents >= 0),
  version bigint NOT NULL
);
