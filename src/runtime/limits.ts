/** Time between rounds of housekeeping. An hour: what it deletes is kept for a day, so lateness costs little. */
export const HOUSEKEEPING_INTERVAL_MS = 3_600_000

/** Time an idempotency key is remembered: a day covers every client's retries, as with other payment interfaces. */
export const IDEMPOTENCY_KEPT_MS = 86_400_000
