/** Limits of the alert rules, each with its reason. docs/decisions/0009 has the reasoning and the measured rates. */

/** Seconds are gathered into blocks of this length: the rules look once per block, and a block may be an outlier. */
export const BLOCK_MS = 5_000

/** Blocks of the longest window: the five minutes within which a rise counts. */
export const RECENT_BLOCKS_MAX = 60

/** Blocks of a minute: the shortest past that says what is usual, and what is looked at before an alert is resolved. */
export const MINUTE_BLOCKS = 12

/** Time after which a block counts half of what it did, once it is older than the longest window. */
export const USUAL_HALF_LIFE_MS = 10 * 60_000

/** Rise of the P99 from which it is an alert, where 1 is none. */
export const RISE_MIN = 1.2

/** Rise that must remain without the window's worst blocks: half of it, since leaving out lowers every P99. */
export const RISE_TRIMMED_MIN = 1.1

/** A P99 up to this is back where it was: between it and RISE_MIN nothing changes, so that no alert flutters. */
export const RISE_OVER_MAX = 1.1

/** Rise in milliseconds under which nobody waits longer for it, whatever it is in percent. */
export const RISE_MS_MIN = 5

/**
 * Standard errors between the recent tail and the usual one. At 6 a look errs once in 10⁹; 500 subjects, looked at
 * every five seconds through five windows, are looked at 4 · 10⁷ times a day.
 */
export const SIGNIFICANCE_MIN = 6

/** Worst blocks left out of a window before it is judged: a stall of a few seconds falls on two of them. */
export const OUTLIER_BLOCKS = 2

/** Requests of a window under which a P99 is the maximum of a handful. */
export const RECENT_REQUESTS_MIN = 100

/** Requests that say what is usual: five of them lie above the P99. */
export const USUAL_REQUESTS_MIN = 500

/** Requests of the last minute that say that a P99 is back; with fewer, the last five minutes say it. */
export const RESOLVING_REQUESTS_MIN = 2_000

/** Blocks in a row that must say that it is over: half a minute. */
export const RESOLVING_BLOCKS = 6

/** Assumed of a subject hardly seen: requests above the P99, and how much more than by chance they vary. */
export const DISPERSION_ASSUMED = { above: 10, dispersion: 4 } as const

/** Time after which a P99 that never came back counts as usual. */
export const FIRING_MS_MAX = 3_600_000

/** Minutes whose P99 says between what values it usually lies. */
export const USUAL_MINUTES_MAX = 60

/** Minutes before that is said. */
export const USUAL_MINUTES_MIN = 5

/** Routes and journeys watched at once, some 50 kB each; beyond, the one silent for longest is forgotten. */
export const SUBJECTS_MAX = 1_000

/** Lag, and its growth, from which it is an alert: batches and pauses of delivery stay far below. */
export const LAG_SECONDS_MIN = 10

/** Lag up to this is none. Far below LAG_SECONDS_MIN, so that an alert does not flutter. */
export const LAG_OVER_SECONDS_MAX = 3

/** Blocks of the windows in which a lag may grow: from a minute, for what is stuck, to 15, for what is too slow. */
export const LAG_WINDOWS = [12, 60, 180] as const

/** Points of a window that a trend is computed from: their pairs grow with the square. */
export const TREND_POINTS_MAX = 30

/** Agreement of a window's pairs that makes a trend: 1 when every later value is larger, 0 when half of them are. */
export const TREND_AGREEMENT_MIN = 0.6

/** Blocks that say how fast a backlog shrinks: half a minute, so that the end of a burst is soon seen. */
export const DRAIN_BLOCKS = 6

/** A backlog that will be gone within this time, at the pace of the last half minute, is a burst being drained. */
export const DRAINED_WITHIN_MS = 10 * 60_000

/** Topics and groups watched at once; beyond, the one not reported for longest is forgotten. */
export const LAGS_MAX = 2_000

/** Time that a resolved alert is kept. */
export const ALERT_KEPT_MS = 24 * 3_600_000

/** Alerts kept; beyond, the one resolved first is forgotten. */
export const ALERTS_MAX = 1_000

/** Share of requests answered with 500 and more that makes a system degraded, and failing. */
export const ERROR_SHARES = { degraded: 0.005, failing: 0.05 } as const

/** Errors in a minute under which a share says nothing. */
export const ERRORS_MIN = 5

/**
 * Time after which an alert for a lag that nobody reports is given up: as long as resolved ones are kept, since a group
 * that was removed is never reported again, and until then silence is no good news.
 */
export const LAG_SILENT_MS_MAX = 24 * 3_600_000

/** What the verdict speaks of, and how long a lag may be unreported before that is said, or it is forgotten. */
export const MINUTE_MS = 60_000
