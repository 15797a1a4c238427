/** What one look at an address found, by a check or by a request. */
export type CheckResult = 'success' | 'http-failure' | 'tcp-failure' | 'timeout'

/** What an attempt at an address came to: an answer, or how there was none. */
export type AttemptResult = { readonly status: number } | 'tcp-failure' | 'timeout'

/** How many in a row it takes; 0: they do not count. */
export type HealthThresholds = {
  readonly successes: number
  readonly httpFailures: number
  readonly tcpFailures: number
  readonly timeouts: number
}

const THRESHOLD_OF = {
  success: 'successes',
  'http-failure': 'httpFailures',
  'tcp-failure': 'tcpFailures',
  timeout: 'timeouts',
} as const satisfies Record<CheckResult, keyof HealthThresholds>

/**
 * Whether an address is healthy, by Kong's rules:
 *
 *     healthy ─as many failures of one kind as its threshold says→ unhealthy
 *     unhealthy ─as many successes as their threshold says→ healthy
 *
 * A success forgets the failures counted so far, a failure the successes. Active and passive checks count together,
 * each against its own thresholds. Source: Kong, lua-resty-healthcheck.
 */
export class HealthCounters {
  #healthy = true
  readonly #counts = { success: 0, 'http-failure': 0, 'tcp-failure': 0, timeout: 0 }

  get healthy(): boolean {
    return this.#healthy
  }

  /** Answers whether that changed it. */
  report(result: CheckResult, thresholds: HealthThresholds): boolean {
    const counts = this.#counts
    const isSuccess = result === 'success'
    if (isSuccess) this.#forgetFailures()
    else counts.success = 0
    const threshold = thresholds[THRESHOLD_OF[result]]
    if (threshold === 0 || isSuccess === this.#healthy) return false
    counts[result] += 1
    return counts[result] >= threshold && this.set(isSuccess)
  }

  /** By decree. Answers whether that changed it. */
  set(healthy: boolean): boolean {
    const changed = healthy !== this.#healthy
    this.#healthy = healthy
    this.#forgetFailures()
    this.#counts.success = 0
    return changed
  }

  #forgetFailures(): void {
    this.#counts['http-failure'] = 0
    this.#counts['tcp-failure'] = 0
    this.#counts.timeout = 0
  }
}
