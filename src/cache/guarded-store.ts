import { messageOf, type StopOptions } from '../core/index.ts'
import { type Level, levelChanged } from './channels.ts'
import { cacheError } from './errors.ts'
import { STORE_FAILURES_MAX, STORE_PENDING_MAX, STORE_PROBE_MS, STORE_TIMEOUT_MS } from './limits.ts'
import type { Held, Store } from './store.ts'

/**
 * Keeps a level's troubles to that level: every operation has a time limit, and a level that keeps failing is left
 * alone until it answers a probe.
 *
 *     up ──STORE_FAILURES_MAX failures in a row, or a failed probe──▶ down ──a probe succeeds──▶ up
 *
 * While it is down every operation is refused at once, by CACHE_STORE_UNAVAILABLE. One probe a second is the only
 * traffic, whether anybody uses the cache or not: so the loss and the return of an idle level are noticed too.
 */
export class GuardedStore implements Store {
  readonly level: Exclude<Level, 'memory'>
  readonly #store: Store
  #state: 'up' | 'down' = 'up'
  #failures = 0
  #pending = 0
  #probing: NodeJS.Timeout | undefined
  #isStopped = false

  constructor(store: Store & { readonly level: Exclude<Level, 'memory'> }) {
    this.#store = store
    this.level = store.level
  }

  /** A level that is away at the start is no reason not to start. */
  async start(): Promise<void> {
    await this.#store.start()
    await this.#probe()
  }

  get(key: string): Promise<Held | 'unreadable' | undefined> {
    return this.#guard(() => this.#store.get(key))
  }

  set(key: string, held: Held): Promise<void> {
    return this.#guard(() => this.#store.set(key, held))
  }

  delete(key: string): Promise<void> {
    return this.#guard(() => this.#store.delete(key))
  }

  ping(): Promise<void> {
    return this.#guard(() => this.#store.ping())
  }

  async stop(options: StopOptions): Promise<void> {
    this.#isStopped = true
    clearTimeout(this.#probing)
    await this.#store.stop(options)
  }

  async #guard<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#state === 'down') throw this.#unavailable('it is left alone until it answers again')
    if (this.#pending >= STORE_PENDING_MAX) throw this.#unavailable(`${STORE_PENDING_MAX} operations wait for it`)
    try {
      const answer = await this.#limited(operation)
      this.#failures = 0
      return answer
    } catch (error) {
      this.#failures += 1
      if (this.#failures >= STORE_FAILURES_MAX) this.#change('down', error)
      throw this.#unavailable(messageOf(error), error)
    }
  }

  /** Pending counts what the store still works on, also after nobody waits for it any more. */
  async #limited<T>(operation: () => Promise<T>): Promise<T> {
    this.#pending += 1
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`no answer within ${STORE_TIMEOUT_MS} ms`)), STORE_TIMEOUT_MS)
    })
    const work = operation().finally(() => {
      this.#pending -= 1
    })
    try {
      return await Promise.race([work, late])
    } finally {
      clearTimeout(timer)
      // What fails after its time has already been answered.
      work.catch(() => undefined)
    }
  }

  async #probe(): Promise<void> {
    try {
      await this.#limited(() => this.#store.ping())
      this.#failures = 0
      this.#change('up')
    } catch (error) {
      this.#change('down', error)
    }
    if (this.#isStopped) return
    this.#probing = setTimeout(() => void this.#probe(), STORE_PROBE_MS)
    this.#probing.unref()
  }

  #change(state: 'up' | 'down', error?: unknown): void {
    if (state === this.#state || this.#isStopped) return
    this.#state = state
    levelChanged.publish({ level: this.level, state, ...(error === undefined ? {} : { error }) })
  }

  #unavailable(reason: string, cause?: unknown) {
    return cacheError('CACHE_STORE_UNAVAILABLE', `${this.level}: ${reason}`, cause === undefined ? {} : { cause })
  }
}
