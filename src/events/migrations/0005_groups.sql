-- What operators ask of consumer groups, looked at by every process several times a second.

-- Groups that are to deliver nothing until they are resumed, on every shard.
CREATE TABLE groundswell.paused_group (
  grp text COLLATE "C" PRIMARY KEY,
  paused_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Where a group is to go on with what was written here; taken by the worker that holds the group's lease, once it has
-- moved the group's positions in every database. docs/decisions/0015-replay-moves-positions.md
CREATE TABLE groundswell.replay_request (
  grp text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  from_offset bigint NOT NULL,
  -- Whether what comes again is to be taken for new.
  as_new boolean NOT NULL DEFAULT false,
  requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (grp, topic)
);

-- Events below it have had their effects here: when they come again, they are replays. Part of what compare-and-set
-- compares, so that a worker that knows nothing of a replay cannot take part in it.
ALTER TABLE groundswell.consumer_position ADD COLUMN replay_until bigint NOT NULL DEFAULT 0;
ALTER TABLE groundswell.parked_event ADD COLUMN is_replay boolean NOT NULL DEFAULT false;
