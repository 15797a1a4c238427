import { LINGER_FACTOR_MAX, PACE_BUSY, PACE_SAMPLE_MS, PACE_SATURATED } from './limits.ts'

/**
 * How much longer the loops of this process should linger between transactions. A transaction costs the same whatever
 * it holds, and a process that is saturated pays that from what its requests need: fewer and larger ones then help all,
 * the events themselves too, whose time goes into queueing otherwise. With time to spare nothing is gained by waiting.
 */
class Pace {
  private since = performance.eventLoopUtilization()
  private sampledAtMs = performance.now()
  private utilization = 0

  /** From 1 to {@link LINGER_FACTOR_MAX}, by how busy the event loop has been of late. */
  factor(): number {
    const nowMs = performance.now()
    if (nowMs - this.sampledAtMs >= PACE_SAMPLE_MS) {
      const current = performance.eventLoopUtilization()
      const latest = performance.eventLoopUtilization(current, this.since).utilization
      // Half of what was, so that one busy moment does not slow down, nor one idle moment hasten, what follows.
      this.utilization = (this.utilization + latest) / 2
      this.since = current
      this.sampledAtMs = nowMs
    }
    return lingerFactor(this.utilization)
  }
}

/** `utilization` of the event loop, 0 to 1. */
export function lingerFactor(utilization: number): number {
  const excess = (utilization - PACE_BUSY) / (PACE_SATURATED - PACE_BUSY)
  return 1 + (LINGER_FACTOR_MAX - 1) * Math.min(1, Math.max(0, excess))
}

/** Of this process: there is one event loop. */
export const pace = new Pace()
