import {
  LINGER_FACTOR_MAX,
  PACE_BUSY,
  PACE_IDLE,
  PACE_SAMPLE_MS,
  PACE_SATURATED,
  PACE_TRANSACTIONS_FEW,
  PACE_TRANSACTIONS_MANY,
} from './limits.ts'

/**
 * How much longer the loops of this process should linger between transactions. A transaction costs the same whatever
 * it holds, and a process that is saturated pays that from what its requests need: fewer and larger ones then help all,
 * the events themselves too, whose time goes into queueing otherwise. With time to spare, and few transactions that
 * could be saved, nothing is gained by waiting: then an event goes on at once.
 */
export class Pace {
  private since = performance.eventLoopUtilization()
  private sampledAtMs = performance.now()
  private utilization = 0
  private transactions = 0
  private perSecond = 0

  /**
   * From 0 to {@link LINGER_FACTOR_MAX}, by how busy the event loop has been of late, and by
   * how many transactions there were: to be asked once for each.
   */
  factor(): number {
    this.transactions += 1
    const nowMs = performance.now()
    const elapsedMs = nowMs - this.sampledAtMs
    if (elapsedMs >= PACE_SAMPLE_MS) {
      const current = performance.eventLoopUtilization()
      const latest = performance.eventLoopUtilization(current, this.since).utilization
      // Half of what was, so that one busy moment does not slow down, nor one idle moment hasten, what follows.
      this.utilization = (this.utilization + latest) / 2
      this.perSecond = (this.perSecond + (this.transactions * 1_000) / elapsedMs) / 2
      this.since = current
      this.transactions = 0
      this.sampledAtMs = nowMs
    }
    return lingerFactor(this.utilization, this.perSecond)
  }
}

/** `utilization` of the event loop, 0 to 1; transactions of all loops together. */
export function lingerFactor(utilization: number, transactionsPerSecond: number): number {
  if (utilization >= PACE_BUSY) {
    return between(1, LINGER_FACTOR_MAX, (utilization - PACE_BUSY) / (PACE_SATURATED - PACE_BUSY))
  }
  const byUse = (utilization - PACE_IDLE) / (PACE_BUSY - PACE_IDLE)
  const byNumber = (transactionsPerSecond - PACE_TRANSACTIONS_FEW) / (PACE_TRANSACTIONS_MANY - PACE_TRANSACTIONS_FEW)
  return between(0, 1, Math.max(byUse, byNumber))
}

function between(low: number, high: number, share: number): number {
  return low + (high - low) * Math.min(1, Math.max(0, share))
}

/** Of this process: there is one event loop. */
export const pace = new Pace()
