import { LATENCY_DECAY_MS, LATENCY_OF_FAILURE_MS } from './limits.ts'

/**
 * A moving average of latencies that follows a rise at once and a fall slowly, so that a target that stalls is noticed
 * by its first slow answer. Source: Finagle, PeakEwma.
 */
export class PeakEwma {
  #averageMs = 0
  #updatedAtMs = 0

  get averageMs(): number {
    return this.#averageMs
  }

  observe(latencyMs: number, nowMs: number): void {
    const weight = Math.exp(-Math.max(0, nowMs - this.#updatedAtMs) / LATENCY_DECAY_MS)
    const average = this.#averageMs * weight + latencyMs * (1 - weight)
    this.#averageMs = latencyMs > this.#averageMs ? latencyMs : average
    this.#updatedAtMs = nowMs
  }

  observeFailure(nowMs: number): void {
    this.observe(Math.max(LATENCY_OF_FAILURE_MS, this.#averageMs), nowMs)
  }
}
