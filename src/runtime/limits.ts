/** Time between rounds of housekeeping. An hour: what it deletes is kept for a day, so lateness costs little. */
export const HOUSEKEEPING_INTERVAL_MS = 3_600_000

/** Time from the start to the first round of housekeeping: out of the way of the first requests. */
export const HOUSEKEEPING_DELAY_MS = 30_000

/** Time between purges of overtaken invalidations: often, since a process that starts reads all that are left. */
export const INVALIDATIONS_PURGE_INTERVAL_MS = 300_000

/** Time an idempotency key is remembered: a day covers every client's retries, as with other payment interfaces. */
export const IDEMPOTENCY_KEPT_MS = 86_400_000

/** Time over which failures of one kind are counted after the first: as long as they go on, one line each time. */
export const FAILURE_WINDOW_MS = 10_000

/** Kinds of failures told apart within that time. Codes and paths are few; this bounds the memory if they are not. */
export const FAILURE_KINDS_MAX = 500

/** Longest text of a slow statement in the log: enough to recognise it. */
export const STATEMENT_CHARACTERS_SHOWN = 300

/** Failed requests with one code that are logged in a second: enough to see what is wrong; the rest is counted. */
export const REQUEST_FAILURES_LOGGED_MAX = 20

/** Time over which failed requests are counted beyond that. */
export const REQUEST_FAILURES_WINDOW_MS = 1_000

/** Log that waits for a slow reader of stderr, in bytes: beyond it lines are dropped rather than memory filled. */
export const LOG_BYTES_MAX = 1_048_576

/** Time between readings of the telemetry exchange: a frame is a second. */
export const EXCHANGE_POLL_MS = 1_000

/** Time a message of the exchange is kept: far longer than a reader that works needs. */
export const EXCHANGE_KEPT_MS = 60_000

/** Time between a process's removals of old messages. */
export const EXCHANGE_PURGE_MS = 15_000

/** Rows before the last one read that are looked at again: more than are written while one INSERT commits. */
export const EXCHANGE_OVERLAP_ROWS = 256

/** Messages taken in one reading; more wait for the next. A fleet of 250 processes, two kinds each, fits. */
export const EXCHANGE_ROWS_MAX = 1_000

/** Messages of this process that wait while one INSERT is under way. Older ones say nothing about now. */
export const EXCHANGE_WAITING_MAX = 8

/** Time between questions for the lag of the consumer groups: one cheap query a shard, from one process. */
export const LAG_POLL_MS = 1_000

/** Time between counts of dead letters: one by one, with what waits behind them, so that there may be many to count. */
export const DEAD_LETTERS_POLL_MS = 10_000

/**
 * Time without word of the lag after which the process with the console asks for it itself: a lease is taken over in
 * three seconds, and what its new holder finds takes up to two to be heard.
 */
export const LAG_SILENCE_MS = 6_000

/** Pause between two questions to a database whether it is there: a statement a second costs it nothing. */
export const DATABASE_CHECK_MS = 1_000

/** Time without an answer after which a database counts as away: longer than a failover of its connections takes. */
export const DATABASE_SILENT_MS = 5_000

/**
 * Of the time for an orderly stop, what is kept for PostgreSQL, which stops last: a fast shutdown writes a checkpoint,
 * and one that is cut off makes the next start recover.
 */
export const DATABASE_STOP_MS = 5_000

/** The same for the connections to it: by then nothing uses them. */
export const CONNECTIONS_STOP_MS = 1_000

/** Longest time that STOP_DELAY_MS may ask for: a load balancer that has not noticed after a minute never will. */
export const STOP_DELAY_MS_MAX = 60_000

/** Time a broker gets to say how far groups are before the console shows them without: it asks again in a second. */
export const BROKER_LAG_MS = 2_000

/**
 * Connections that the embedded server takes when it serves processes apart: of eight of them with CONNECTIONS_MAX
 * each, and of people.
 */
export const SERVED_CONNECTIONS_MAX = 400
