import { LATENCY_EPOCH_MS, LATENCY_SAMPLES_MAX, LATENCY_SAMPLES_MIN, LATENCY_WINDOW_MS } from '../limits.ts'

export type AdaptiveLimitRules = {
  /** Bounds of the limit, and where it starts. */
  readonly min: number
  readonly max: number
  readonly initial: number
  /** How many times the unloaded latency is still fine. */
  readonly tolerance: number
}

/** Latencies differ by this much for reasons that have nothing to do with load: timers, the event loop. */
const NOISE_MS = 1

/** The limit never loses more than half in one window. */
const GRADIENT_MIN = 0.5

/**
 * How many requests a service may have at once, found from its latency.
 *
 * Once per window the limit is multiplied by the gradient, which is 1 while the median latency is within `tolerance`
 * of the unloaded one and less as it grows, and gets √limit of headroom, so that it rises while that costs nothing.
 * It settles where requests only just begin to queue. The unloaded latency is the least median of the last epochs; at
 * the end of an epoch the limit is halved for one window, so that it is seen again when the service has become slower
 * for good. Source: Envoy, adaptive concurrency filter (gradient controller); Netflix, concurrency-limits (Gradient2).
 */
export class AdaptiveLimit {
  readonly #rules: AdaptiveLimitRules
  #limit: number
  #inFlight = 0
  #peak = 0
  #samples: number[] = []
  #windowEndsAtMs = Number.NEGATIVE_INFINITY
  #epochEndsAtMs = Number.NEGATIVE_INFINITY
  #leastMs = Number.POSITIVE_INFINITY
  #leastBeforeMs = Number.POSITIVE_INFINITY
  #isProbing = false

  constructor(rules: AdaptiveLimitRules) {
    this.#rules = rules
    this.#limit = rules.initial
  }

  /** Requests that may be under way now. */
  get limit(): number {
    const { min } = this.#rules
    return Math.max(min, Math.floor(this.#isProbing ? this.#limit / 2 : this.#limit))
  }

  get inFlight(): number {
    return this.#inFlight
  }

  /** Takes a place unless the `share` (0..1) of the limit that is open to this request is taken. */
  tryEnter(share: number): boolean {
    if (this.#inFlight >= Math.max(1, Math.floor(this.limit * share))) return false
    this.#inFlight += 1
    this.#peak = Math.max(this.#peak, this.#inFlight)
    return true
  }

  /** Gives the place back. `latencyMs` is undefined when the request says nothing of the service. */
  leave(latencyMs: number | undefined, nowMs: number): void {
    this.#inFlight -= 1
    if (latencyMs === undefined) return
    if (this.#samples.length < LATENCY_SAMPLES_MAX) this.#samples.push(latencyMs)
    if (this.#windowEndsAtMs === Number.NEGATIVE_INFINITY) this.#begin(nowMs)
    if (nowMs >= this.#windowEndsAtMs && this.#samples.length >= LATENCY_SAMPLES_MIN) this.#adapt(nowMs)
  }

  #begin(nowMs: number): void {
    this.#windowEndsAtMs = nowMs + LATENCY_WINDOW_MS
    this.#epochEndsAtMs = nowMs + LATENCY_EPOCH_MS
  }

  #adapt(nowMs: number): void {
    const latencyMs = medianOf(this.#samples)
    this.#leastMs = Math.min(this.#leastMs, latencyMs)
    if (this.#isProbing) this.#isProbing = false
    else this.#limit = this.#next(latencyMs)
    if (nowMs >= this.#epochEndsAtMs) this.#startEpoch(nowMs)
    this.#samples = []
    this.#peak = this.#inFlight
    this.#windowEndsAtMs = nowMs + LATENCY_WINDOW_MS
  }

  #next(latencyMs: number): number {
    const { min, max, tolerance } = this.#rules
    const unloadedMs = Math.min(this.#leastMs, this.#leastBeforeMs)
    const gradient = Math.max(GRADIENT_MIN, Math.min(1, (tolerance * unloadedMs + NOISE_MS) / latencyMs))
    // A limit that nobody comes near has shown nothing: it does not grow.
    if (gradient === 1 && this.#peak < this.#limit / 2) return this.#limit
    return Math.min(max, Math.max(min, this.#limit * gradient + Math.sqrt(this.#limit)))
  }

  #startEpoch(nowMs: number): void {
    this.#leastBeforeMs = this.#leastMs
    this.#leastMs = Number.POSITIVE_INFINITY
    this.#isProbing = true
    this.#epochEndsAtMs = nowMs + LATENCY_EPOCH_MS
  }
}

function medianOf(samples: readonly number[]): number {
  const sorted = samples.toSorted((left, right) => left - right)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}
