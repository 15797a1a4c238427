CREATE SCHEMA people;

CREATE SEQUENCE people.user_id;

CREATE TABLE people.users (
  bucket smallint NOT NULL,
  user_id bigint NOT NULL,
  email text NOT NULL,
  name text NOT NULL,
  PRIMARY KEY (bucket, user_id),
  CHECK (bucket = mod(user_id, 5040))
);
SELECT groundswell.guard_table('people.users');
