CREATE SCHEMA users;

-- Drawn from on the home shard only; it exists everywhere because every shard has the same schema.
CREATE SEQUENCE users.user_id;

CREATE TABLE users.users (
  bucket smallint NOT NULL,
  user_id bigint NOT NULL,
  email text NOT NULL,
  name text NOT NULL,
  registered_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (bucket, user_id),
  CHECK (bucket = mod(user_id, 5040))
);
SELECT groundswell.guard_table('users.users');

-- Which user an e-mail address belongs to, on the shard of the address: what makes it unique across shards.
CREATE TABLE users.email_claim (
  bucket smallint NOT NULL,
  email text NOT NULL,
  user_id bigint NOT NULL,
  PRIMARY KEY (bucket, email),
  CHECK (bucket = groundswell.bucket_of(email))
);
SELECT groundswell.guard_table('users.email_claim');
