CREATE SCHEMA points;

CREATE TABLE points.balance (
  bucket smallint NOT NULL,
  user_id bigint NOT NULL,
  points bigint NOT NULL,
  PRIMARY KEY (bucket, user_id),
  CHECK (bucket = mod(user_id, 5040))
);

SELECT groundswell.guard_table('points.balance');

CREATE FUNCTION points.add(bucket smallint, user_id bigint, added bigint) RETURNS void LANGUAGE sql AS $$
  INSERT INTO points.balance AS balance (bucket, user_id, points) VALUES ($1, $2, $3)
  ON CONFLICT (bucket, user_id) DO UPDATE SET points = balance.points + excluded.points
$$;
