/** Limits of the load generator, each with its reason. */

/** Requests that may be unanswered at once; each needs a connection. Arrivals beyond are dropped and counted. */
export const CONNECTIONS_DEFAULT = 1_000

/** More connections than this need more ephemeral ports and file descriptors than a machine has by default. */
export const CONNECTIONS_MAX = 20_000

/** Highest rate that is taken for meant, per second. One generator reaches about 50,000. */
export const RATE_MAX = 1_000_000

/** Lowest rate, per second: about four requests an hour. */
export const RATE_MIN = 0.001

/** Longest run, in milliseconds: a day. */
export const DURATION_MS_MAX = 86_400_000

/**
 * Time for an answer before the request counts as timed out: the gateway's own deadline is shorter for its services.
 */
export const TIMEOUT_MS_DEFAULT = 10_000

/** How often overdue requests are looked for, in milliseconds: the precision of the timeout. */
export const SWEEP_INTERVAL_MS = 100

/**
 * A connection that was idle for longer is not used again: servers close idle ones (node:http after 5 s), and a
 * request that crosses with the close would count as an error of the server.
 */
export const IDLE_MS_MAX = 3_500

/** Resolution of the dispatcher: timers of Node are not finer. */
export const TICK_MS = 1

/** Read buffer of one connection, in bytes; larger answers take several reads. */
export const READ_BUFFER_BYTES = 16_384

/** Largest answer that is read, in bytes. */
export const ANSWER_BYTES_MAX = 16 * 1_048_576

/** Distinct failures that a report lists; the rest is summed up. */
export const FAILURE_KINDS_MAX = 20

/** When requests are sent later than this (P99, ms), the generator has too little CPU to be believed about tails. */
export const LATENESS_P99_MS_MAX = 50
