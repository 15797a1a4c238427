import type { Clock } from '../core/index.ts'
import { SECOND_MS } from './limits.ts'

/**
 * Calls `tick` just after each whole second of the clock, so that the seconds of all processes are the same ones. A
 * tick that comes late, since the event loop was busy, is one tick; none is made up for. One that fails is reported:
 * whatever is wrong with telemetry, or with who listens to it, is no reason to end the process.
 */
export class Ticker {
  readonly #clock: Clock
  readonly #tick: () => void
  readonly #onError: (error: unknown) => void
  #timer: NodeJS.Timeout | undefined

  constructor(clock: Clock, tick: () => void, onError: (error: unknown) => void) {
    this.#clock = clock
    this.#tick = tick
    this.#onError = onError
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
      try {
        this.#tick()
      } catch (error) {
        this.#onError(error)
      }
    }, untilNextMs)
    this.#timer.unref()
  }
}
