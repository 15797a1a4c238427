/** Time between frames: what an operator calls live. */
export const SECOND_MS = 1_000

/** Seconds kept as they are: five minutes, the window of the alerts. */
export const SECONDS_KEPT = 300

/** Seconds that one step of the older history joins. A spike of one second still shows in its percentiles. */
export const STEP_SECONDS = 10

/** Steps kept: six hours. A frame of the shop takes some 6 kB, so they are about 13 MB. */
export const STEPS_KEPT = 2_160

/**
 * Time that a second waits for the other processes' part of it: their ticks come up to a second apart, and the exchange
 * asks once a second.
 */
export const SETTLE_MS = 2_500

/** How late a part of a second may come and still count, in a later one: longer than a living process is held up. */
export const LATE_MS_MAX = 30_000

/** Seconds that may wait to settle. What a clock that is far ahead sends is let go. */
export const SETTLING_MAX = 10

/** Routes told apart; the rest share one. Far more than an application declares: this bounds a mistake. */
export const ROUTES_MAX = 1_000

/** Journeys, services, shards and consumer groups told apart, each. */
export const SUBJECTS_MAX = 500

/**
 * Services, routes, consumers of the gateway and plugins that refuse, each, told apart in one second of one process:
 * all that an operator can look at, and a hundred bytes or so each in what processes send one another.
 */
export const TRAFFIC_SUBJECTS_MAX = 500

/** Series of one metric for Prometheus; the rest share one. Its own rule of thumb is to stay below that. */
export const SERIES_MAX = 2_000

/** Degradations shown at once: parts are few, this bounds a part that names itself anew each time. */
export const DEGRADATIONS_MAX = 50

/**
 * Time that what a process said last of its degradations is shown: beyond a pause of its event loop or of the exchange,
 * and soon enough that a process that is gone is not taken for one that is degraded.
 */
export const DEGRADATIONS_KEPT_MS = 10_000

/** Bytes of one second of one process that are read from the exchange: a hundred times what the shop sends. */
export const SECOND_BYTES_MAX = 1_048_576

/** Text written to a scrape in one turn of the event loop: well under a millisecond of work. */
export const SCRAPE_CHUNK_CHARACTERS = 32_768
