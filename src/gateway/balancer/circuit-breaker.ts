import type { CircuitBreakerConfig } from '../config/upstream-entities.ts'
import { RecentCounts } from './recent-counts.ts'

export type BreakerState = 'closed' | 'open' | 'half-open'

/**
 * Keeps requests from an address that fails, and tries it again after a while:
 *
 *     closed ─failures in a row, or too large a share of the last ten seconds→ open
 *     open ─`open_time` over, and a request that would go there→ half-open
 *     half-open ─as many successes as `successes` says→ closed
 *     half-open ─one failure→ open
 *
 * Half open, it lets no more requests through at once than it still needs successes. What was sent before it opened and
 * is answered later changes nothing. Source: Nygard, Release It!, 2nd edition, 5.
 */
export class CircuitBreaker {
  #config: CircuitBreakerConfig
  readonly #changed: (state: BreakerState) => void
  readonly #recent = new RecentCounts()
  #state: BreakerState = 'closed'
  #failuresInRow = 0
  #openedAtMs = 0
  /** Half open: requests under way, and successes so far. */
  #trials = 0
  #successes = 0
  /** Grows with every opening: a trial of an earlier one no longer counts. */
  #era = 0

  constructor(config: CircuitBreakerConfig, changed: (state: BreakerState) => void) {
    this.#config = config
    this.#changed = changed
  }

  get state(): BreakerState {
    return this.#state
  }

  /** Takes new thresholds without forgetting what was counted; a state that they would have ended ends now. */
  configure(config: CircuitBreakerConfig): void {
    this.#config = config
    if (this.#state === 'half-open' && this.#successes >= config.successes) this.#close()
  }

  /** Whether one more request may go to the address now. Times are monotonic milliseconds. */
  admits(nowMs: number): boolean {
    if (this.#state === 'closed') return true
    if (this.#state === 'open') return nowMs >= this.#openedAtMs + this.#config.open_time * 1_000
    return this.#trials + this.#successes < this.#config.successes
  }

  /** A request that was admitted goes there. Answers its trial, to be handed back with its outcome; 0 while closed. */
  began(): number {
    if (this.#state === 'closed') return 0
    if (this.#state === 'open') {
      this.#trials = 0
      this.#successes = 0
      this.#move('half-open')
    }
    this.#trials += 1
    return this.#era
  }

  succeeded(nowMs: number, trial: number): void {
    if (trial === 0) {
      if (this.#state !== 'closed') return
      this.#failuresInRow = 0
      this.#recent.add(nowMs)
    } else if (this.#isCurrent(trial)) {
      this.#trials -= 1
      this.#successes += 1
      if (this.#successes >= this.#config.successes) this.#close()
    }
  }

  failed(nowMs: number, trial: number): void {
    if (trial !== 0) {
      if (this.#isCurrent(trial)) this.#open(nowMs)
      return
    }
    if (this.#state !== 'closed') return
    this.#failuresInRow += 1
    this.#recent.add(nowMs)
    this.#recent.addSpecial(nowMs)
    if (this.#failuresInRow >= this.#config.failures || this.#failsTooOften(nowMs)) this.#open(nowMs)
  }

  /** The client left before anything was known. */
  abandoned(trial: number): void {
    if (trial !== 0 && this.#isCurrent(trial)) this.#trials -= 1
  }

  #isCurrent(trial: number): boolean {
    return this.#state === 'half-open' && trial === this.#era
  }

  #failsTooOften(nowMs: number): boolean {
    const { failure_ratio, requests_min } = this.#config
    if (failure_ratio === null) return false
    const requests = this.#recent.all(nowMs)
    return requests >= requests_min && this.#recent.special(nowMs) / requests >= failure_ratio
  }

  #open(nowMs: number): void {
    this.#era += 1
    this.#openedAtMs = nowMs
    this.#move('open')
  }

  #close(): void {
    this.#failuresInRow = 0
    this.#recent.clear()
    this.#move('closed')
  }

  #move(state: BreakerState): void {
    this.#state = state
    this.#changed(state)
  }
}
