import type { Clock } from '../core/index.ts'
import { SECOND_MS } from './limits.ts'

/**
 * Calls `tick` just after each whole second of the clock, so that the seconds of all processes are the same ones. A
 * tick that comes late, since the event loop was busy, is one tick; none is made up for.
 */
export class Ticker {
  readonly #clock: Clock
  readonly #tick: () => void
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock, tick: () => void) {
    this.#clock = clock
    this.#tick = tick
  }

  start(): void {
    if (this.#timer === undefined) this.#schedule()
  }

  stop(): void {
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    const untilNextMs = SECOND_MS - (this.#clock.now() % SECOND_MS) + 1
    this.#timer = setTimeout(() => {
      this.#schedule()
      this.#tick()
    }, untilNextMs)
    this.#timer.unref()
  }
}
