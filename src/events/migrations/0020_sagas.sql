-- Where sagas stand that are not part of a row of their service. What happens only adds to `journal`; where a saga
-- stands follows from it, so that a row is read, locked and written by one statement. Ids begin with their time: new
-- rows come at the right end of the index. Half of each page stays free, so that a journal grows on its page (HOT).
CREATE TABLE groundswell.saga (
  saga text COLLATE "C" NOT NULL,
  bucket smallint NOT NULL,
  id uuid NOT NULL,
  -- JSON: what the saga is about.
  data text NOT NULL,
  journal text NOT NULL DEFAULT '',
  PRIMARY KEY (id, bucket, saga)
) WITH (fillfactor = 50);
SELECT groundswell.guard_table('groundswell.saga');
