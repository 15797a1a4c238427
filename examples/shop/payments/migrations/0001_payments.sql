CREATE SCHEMA payments;

CREATE TABLE payments.payment (
  bucket smallint NOT NULL,
  order_id uuid NOT NULL,
  user_id bigint NOT NULL,
  amount_cents bigint NOT NULL,
  -- Idempotency key of the charge at the provider; none while nothing was charged.
  charge_key uuid,
  state text NOT NULL CHECK (state IN ('authorized', 'declined', 'cancelled', 'refunding', 'refunded')),
  PRIMARY KEY (bucket, order_id),
  CHECK (bucket = mod(user_id, 5040))
) WITH (fillfactor = 80);
SELECT groundswell.guard_table('payments.payment');

-- The books of the simulated provider: nothing but simulated-provider.ts touches them.
CREATE SCHEMA payment_provider;

CREATE TABLE payment_provider.charge (
  bucket smallint NOT NULL,
  idempotency_key uuid NOT NULL,
  amount_cents bigint NOT NULL,
  state text NOT NULL CHECK (state IN ('charged', 'declined', 'failed', 'refunded')),
  recovers boolean NOT NULL,
  attempts int NOT NULL DEFAULT 1,
  PRIMARY KEY (bucket, idempotency_key)
) WITH (fillfactor = 80);
SELECT groundswell.guard_table('payment_provider.charge');
