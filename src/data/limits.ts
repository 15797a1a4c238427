/** Limits of the data layer, each with its reason. docs/limits.md lists them. */

/**
 * Connections of one process over all shards: two processes and a person still fit under the embedded server's 120, and
 * eight under the 400 that it takes when `groundswell database` runs it.
 */
export const CONNECTIONS_MAX = 48

/** Connections per shard at the least: one runs batches while the other answers a read. */
export const CONNECTIONS_PER_SHARD_MIN = 2

/** Time after which an idle connection is closed, so that pools shrink between peaks. */
export const CONNECTION_IDLE_MS = 30_000

/**
 * Time to wait for a free connection: well under STATEMENT_TIMEOUT_MS, since a queue that long only produces late
 * answers.
 */
export const ACQUIRE_TIMEOUT_MS = 5_000

/** Time that a new connection may take, DNS and TLS included. */
export const CONNECT_TIMEOUT_MS = 5_000

/**
 * Time the server gets to answer a statement above the statement's own timeout, before the connection counts as broken.
 * After a failover that drops packets TCP alone would wait a quarter of an hour.
 */
export const QUERY_MARGIN_MS = 2_000

/** Silence after which an idle connection is probed: a peer that is gone is noticed some 10 s later. */
export const KEEP_ALIVE_PROBE_MS = 10_000

/** Time a connection gets to say goodbye before it is cut off. */
export const CONNECTION_END_MS = 1_000

/** Idle connections kept per shard, so that a burst after a pause does not wait for connections to be made. */
export const CONNECTIONS_KEPT = 2

/**
 * Inputs in one batched transaction when the operation names none: beyond it commits no longer dominate, latency does.
 */
export const BATCH_MAX = 256

/**
 * Batches of one operation under way on one shard. 1: while one commits the next fills, which is what makes batches
 * large.
 */
export const BATCHES_IN_FLIGHT_MAX = 1

/**
 * Inputs of one operation that wait on one shard: about a second of work, after which refusing is kinder than queueing.
 */
export const BATCH_QUEUE_MAX = 16_384

/**
 * Time an input may wait for its batch: a second of work fills the queue, so one that waited this long came before a
 * stall. Well under SERVICE_DEADLINE_MS, after which its client has gone and would not learn of a late commit.
 */
export const BATCH_WAIT_MAX_MS = 5_000

/** Attempts of a batch that fails for transient reasons (deadlock, lost connection before COMMIT). */
export const BATCH_ATTEMPTS_MAX = 5

/** First pause between those attempts; doubles each time, with jitter. All of them stay under a second. */
export const BATCH_BACKOFF_MS = 20

/** Times that `forKey(key).transaction` runs again after its bucket turned out to live elsewhere: a move flips once. */
export const REROUTE_ATTEMPTS_MAX = 4

/** First pause before a reroute; doubles each time. A move's pause is about 50 ms, its hard bound 2 s. */
export const REROUTE_BACKOFF_MS = 50

/** Rows of one scatter: more belongs into pages. */
export const SCATTER_LIMIT_MAX = 1_000

/** Shards asked at once by one scatter, so that one query cannot take every connection of the process. */
export const SCATTER_CONCURRENCY_MAX = 16

/** Statements slower than this are published as facts. */
export const SLOW_QUERY_MS = 250

/** Time a migration may wait for a lock before it fails, so that it never queues up traffic behind it. */
export const MIGRATION_LOCK_TIMEOUT_MS = 5_000

/** Time one migration statement may take: index builds are slower than requests. */
export const MIGRATION_STATEMENT_TIMEOUT_MS = 600_000

/** Time from which on a migration's file is told of on every shard, not on the first alone. */
export const MIGRATION_SLOW_MS = 1_000

/** Time to wait for another process that migrates the same shard. */
export const MIGRATION_TURN_MS = 120_000

/** Time the embedded PostgreSQL gets from spawn to ready. Long, because crash recovery replays up to max_wal_size. */
export const ENGINE_START_MS = 120_000

/** Size of the embedded server's log above which a start keeps it aside as `.1` and begins a new one. */
export const ENGINE_LOG_BYTES_MAX = 16 * 1_048_576

/** Shared buffers of the embedded server: at most this, and at most a quarter of the memory. */
export const ENGINE_BUFFERS_BYTES_MAX = 512 * 1_048_576

/** Callers waiting for a connection to one shard: with more, the wait would time out anyway. */
export const ACQUIRE_WAITING_MAX = 10_000

/** Distinct SQL texts that are prepared; each costs memory in every connection that has run it. */
export const PREPARED_TEXTS_MAX = 1_000

/** Pause before a broken listening connection is renewed. Polling covers what is missed meanwhile. */
export const LISTEN_RENEW_MS = 500
