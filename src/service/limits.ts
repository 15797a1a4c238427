/** Limits of services and of the calls between them, each with its reason. docs/limits.md lists them. */

/**
 * Answers to one call, the first included: more only make an overload worse, and the deadline would end them anyway.
 */
export const CALL_ATTEMPTS_MAX = 4

/** First pause before a call is repeated; doubles each time, drawn at random from 1 ms up (full jitter). */
export const CALL_BACKOFF_MS = 25

/** Longest pause before a call is repeated: half a second is a restart of the other side, not worth waiting longer. */
export const CALL_BACKOFF_MAX_MS = 500

/** Retries that a call earns for its service: 10 %, so that retries never multiply the load of one in trouble. */
export const RETRIES_PER_CALL = 0.1

/** Retries saved up per service at the most: enough for a restart at low traffic, nothing for a storm. */
export const RETRIES_SAVED_MAX = 10

/** Time to establish a connection to another service: a machine that does not answer in a second is gone. */
export const CALL_CONNECT_TIMEOUT_MS = 1_000

/** Connections to one other service: its handlers are asynchronous, so more would only queue there. */
export const CALL_CONNECTIONS_MAX = 64

/** Time an idle connection to another service is kept: less than the 72 s after which the other side closes it. */
export const CALL_KEEP_ALIVE_MS = 30_000

/** Largest answer to a call, in bytes: what is larger belongs into pages. */
export const REPLY_BYTES_MAX = 8 * 1_048_576

/** Time between looks for requests whose deadline has passed: how late a 504 may be. */
export const DEADLINE_SWEEP_MS = 100

/**
 * What Retry-After says when a service cannot answer right now, in seconds: the shortest that the header can express.
 */
export const RETRY_AFTER_SECONDS = 1

/** Idempotency keys deleted by one statement: bounds its locks and its time. */
export const PURGE_ROWS_MAX = 5_000

/** Such statements for one shard in one round: ten million keys, more than a shard takes in an hour; then the next. */
export const PURGE_STATEMENTS_MAX = 2_000

/**
 * Time between readings of the invalidations of a shard when nothing wakes the follower: four of them fit into
 * FENCE_SILENCE_MS, so that one slow reading does not fence a process off.
 */
export const FOLLOW_INTERVAL_MS = 500

/** Time an invalidation is kept: an hour more than the longest cache keeps entries, the day of `long-term`. */
export const INVALIDATIONS_KEPT_MS = 25 * 3_600_000
