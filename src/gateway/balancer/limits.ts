/** Limits of load balancing, each with its reason. docs/limits.md lists them. */

/** Bounds of the time that a target's name is not asked for again, whatever DNS says: not every request, not never. */
export const DNS_TTL_MS_MIN = 1_000
export const DNS_TTL_MS_MAX = 60_000

/** The same for names of which only the system knows, in its hosts file or by its search domains. */
export const DNS_TTL_MS_DEFAULT = 10_000

/** Until a name that could not be resolved is asked for again. Kong's pause for errors. */
export const DNS_RETRY_MS = 1_000

/** Time that a name may take to resolve; the first requests for a new target wait for it. */
export const DNS_TIMEOUT_MS = 2_000

/** An answer to a check by gRPC: one byte says whether it serves. */
export const HEALTH_ANSWER_BYTES_MAX = 1_024

/** Addresses of one name that are used: more than a round of health checks can look after. */
export const DNS_ADDRESSES_MAX = 64

/** How much a latency from this long ago still counts: 1/e. Kong's and Finagle's decay is the same. */
export const LATENCY_DECAY_MS = 10_000

/** What a failed attempt counts as in the latency of its target: failing fast must not look like being fast. */
export const LATENCY_OF_FAILURE_MS = 1_000

/** How far back circuit breakers and retry budgets look. Finagle's and Envoy's budgets look as far. */
export const RECENT_MS = 10_000

/** Parts of it that are forgotten one by one. */
export const RECENT_PARTS = 10

/** An answer that is to be asked for again is read to its end, to keep its connection, if it is no longer than this. */
export const DISCARDED_BYTES_MAX = 65_536

/** The same in time: for longer, a connection is not worth letting the client wait for the next attempt. */
export const DISCARDED_MS_MAX = 1_000
