/** Browsers that may follow the event stream at once: a team's, with a bound on what each second costs. */
export const STREAMS_MAX = 64

/**
 * Frames that a client may be late before it is cut off. It comes back by itself with the id of what it has, and gets
 * what it missed, so that nothing is held for it meanwhile.
 */
export const STALLED_FRAMES_MAX = 10

/** Time without a frame after which the stream says that it is alive: less than proxies wait on a quiet connection. */
export const HEARTBEAT_MS = 10_000

/** Pause that browsers are told to make before they connect again. */
export const RECONNECT_MS = 1_000

/** Time for one answer of the gateway's Admin API, which is in memory or one query away. */
export const ADMIN_REQUEST_MS = 10_000

/** Entities of a kind that one page of the Admin API has, its own maximum. */
export const PAGE_ENTITIES = 1_000

/** Entities of a kind that the console reads: a browser shows as many, and says so when there are more. */
export const ENTITIES_MAX = 10_000

/** Upstreams whose health is asked for at once. */
export const HEALTH_CALLS_MAX = 8

/** A change, in bytes: the largest is a plugin's configuration. */
export const WRITE_BYTES_MAX = 262_144

/** Traces in one answer, at most and when the query does not say. */
export const TRACES_MAX = 500
export const TRACES_DEFAULT = 100

/** Dead letters in one answer, at most and when the query does not say: as many as somebody reads. */
export const DEAD_LETTERS_MAX = 500
export const DEAD_LETTERS_DEFAULT = 100

/** Text of a dead letter's payload that is sent to a browser, in UTF-16 units. `events dlq --json` prints all of it. */
export const PAYLOAD_CHARS_MAX = 8_000
