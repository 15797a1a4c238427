import { randomInt } from 'node:crypto'
import { CALL_BACKOFF_MAX_MS, CALL_BACKOFF_MS, RETRIES_PER_CALL, RETRIES_SAVED_MAX } from './limits.ts'

/**
 * How many retries a service may still cost: every call saves up a tenth of one, every retry spends a whole one. In
 * an outage retries are therefore at most a tenth of the calls. Source: Finagle's RetryBudget.
 */
export class RetryBudget {
  private tokens = RETRIES_SAVED_MAX

  deposit(): void {
    this.tokens = Math.min(RETRIES_SAVED_MAX, this.tokens + RETRIES_PER_CALL)
  }

  /** Whether there was a retry left. */
  spend(): boolean {
    if (this.tokens < 1) return false
    this.tokens -= 1
    return true
  }
}

/**
 * Pause in milliseconds before the call is repeated after `attempts` attempts: anything from 1 ms to a bound that
 * doubles. The randomness keeps callers that failed together from coming back together. Source: AWS, "Exponential
 * Backoff And Jitter".
 */
export function backoffMs(attempts: number): number {
  return randomInt(1, Math.min(CALL_BACKOFF_MAX_MS, CALL_BACKOFF_MS * 2 ** (attempts - 1)) + 1)
}
