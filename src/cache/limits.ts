/** Limits of the cache, each with its reason. docs/limits.md lists them. */

/**
 * Silence of a database after which nothing read from it is served from a cache: the hard bound on how stale a value
 * may be. Four rounds of the follower, so that one slow round is no reason.
 */
export const FENCE_SILENCE_MS = 2_000

/** Tags whose fences a process keeps. Beyond it the oldest are folded into one floor, which only costs misses. */
export const FENCED_TAGS_MAX = 100_000

/** Memory of the first level, in bytes as estimated from the text of the values: an eighth of a small container. */
export const MEMORY_BYTES_MAX = 64 * 1_048_576

/** Longest value that is kept, in characters of its JSON: what is larger belongs elsewhere and would stall the loop. */
export const VALUE_CHARS_MAX = 1_048_576

/** Longest key, in characters: keys are names, not documents. */
export const KEY_CHARS_MAX = 512

/** Longest tag, in characters; the database refuses longer ones too. */
export const TAG_CHARS_MAX = 200

/** Tags of one entry: each is looked up at every read. */
export const ENTRY_TAGS_MAX = 64

/** Tags that one transaction may invalidate: they go in one statement. */
export const INVALIDATED_TAGS_MAX = 1_000

/**
 * Time a load may take before its callers get an error and the next caller starts another: more than a statement's
 * STATEMENT_TIMEOUT_MS, less than a request's SERVICE_DEADLINE_MS.
 */
export const LOAD_TIMEOUT_MS = 15_000

/** Times a caller joins a load that turns out to be older than an invalidation, before it loads for itself. */
export const JOIN_ATTEMPTS_MAX = 3

/** Time for which a failed load answers all who ask for the same key: a crowd must not become a crowd of loads. */
export const LOAD_FAILURE_KEPT_MS = 100

/** Failed loads remembered at once. */
export const LOAD_FAILURES_MAX = 1_000

/**
 * Time of one operation on the second level, as this process's event loop goes round: a delay of the loop itself counts
 * for no more than one tick. A miss costs a query of a few milliseconds: waiting longer never pays.
 */
export const STORE_TIMEOUT_MS = 50

/** Parts in which that time passes, so that a loop that was busy leaves an answer the other four to be read in. */
export const STORE_TIMEOUT_TICKS = 5

/**
 * Failures in a row after which the second level is left alone, probes among them. Late answers that were waited for at
 * the same time are one: what hangs is noticed after a quarter of a second of traffic, and a pause is none.
 */
export const STORE_FAILURES_MAX = 5

/**
 * Time between probes of the second level: how late its loss or its return is noticed when nobody uses it. A probe that
 * is answered late is repeated at once.
 */
export const STORE_PROBE_MS = 1_000

/** Operations under way on the second level; beyond it a read is a miss: a slow level must not fill the memory. */
export const STORE_PENDING_MAX = 10_000

/** Longest pause between attempts to connect to the second level. */
export const STORE_RECONNECT_MS_MAX = 1_000

/** Time that a start waits for the second level, which it can do without. */
export const STORE_START_MS = 1_000
