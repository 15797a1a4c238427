import type { Health, Lifecycle, Readiness } from '../core/index.ts'
import type { DatabaseWatch } from './database-watch.ts'

/**
 * Whether this process may be sent requests:
 *
 *     starting ─every step of the start done→ running ─a signal to stop→ draining
 *
 * While it runs, it is ready unless every database has been silent for a while. One silent shard of several makes it
 * degraded only: its rows are out of reach from everywhere, and all processes leaving at once would turn the failure of
 * a part into one of the whole. A process without services, such as the gateway, answers without any database.
 */
export class ProcessHealth implements Health {
  #phase: 'starting' | 'running' | 'draining' = 'starting'
  #step = 'the start has begun'
  #watch: DatabaseWatch | undefined

  readiness(): Readiness {
    if (this.#phase === 'starting') return { status: 'starting', reason: this.#step }
    if (this.#phase === 'draining') {
      return { status: 'draining', reason: 'asked to stop: finishing what was accepted' }
    }
    const silent = this.#watch?.silent() ?? []
    if (silent.length > 0 && silent.length === this.#watch?.count) {
      return { status: 'unavailable', reason: `no database answers: ${silent.join('; ')}` }
    }
    return { status: 'ready', degraded: silent }
  }

  /** What the start is doing, for people who look at `/readyz`. */
  starting(step: string): void {
    this.#step = step
  }

  /** From here on the databases count. Returns how to stop watching. */
  watch(watch: DatabaseWatch): Lifecycle['stop'] {
    this.#watch = watch
    watch.start()
    return async () => watch.stop()
  }

  started(): void {
    if (this.#phase === 'starting') this.#phase = 'running'
  }

  draining(): void {
    this.#phase = 'draining'
  }
}
