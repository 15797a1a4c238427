-- Where a broker carries the events, a group that was sent back has them from the log: up to this offset of a stream,
-- on the shard whose log it is. In effect while `next_offset` is below it; meanwhile what the broker has of the stream
-- is held. docs/decisions/0015-replay-moves-positions.md
ALTER TABLE groundswell.consumer_position ADD COLUMN log_until bigint NOT NULL DEFAULT 0;

-- How often an operator moved the position. Compare-and-set compares it instead of `replay_until`, which is the same
-- again when a group is sent back twice and nothing new came in between.
ALTER TABLE groundswell.consumer_position ADD COLUMN moves int NOT NULL DEFAULT 0;
