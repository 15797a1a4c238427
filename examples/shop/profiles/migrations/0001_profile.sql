CREATE SCHEMA profiles;

CREATE TABLE profiles.profile (
  bucket smallint NOT NULL,
  user_id bigint NOT NULL,
  display_name text NOT NULL,
  address text,
  phone text,
  PRIMARY KEY (bucket, user_id),
  CHECK (bucket = mod(user_id, 5040))
);
SELECT groundswell.guard_table('profiles.profile');
