import { messageOf, type StopOptions } from '../core/index.ts'
import { type Level, levelChanged } from './channels.ts'
import { cacheError } from './errors.ts'
import {
  STORE_FAILURES_MAX,
  STORE_PENDING_MAX,
  STORE_PROBE_MS,
  STORE_TIMEOUT_MS,
  STORE_TIMEOUT_TICKS,
} from './limits.ts'
import type { Held, Store } from './store.ts'

/**
 * Keeps a level's troubles to that level: every operation has a time limit, and a level that keeps failing is left
 * alone until it answers a probe.
 *
 *     up ──STORE_FAILURES_MAX failures in a row, or a probe refused──▶ down ──a probe succeeds──▶ up
 *
 * An answer that is late once proves nothing, since this process, the level's or the machine may have been busy: only
 * several in a row do, of operations or of probes.
 *
 * While it is down every operation is refused at once, by CACHE_STORE_UNAVAILABLE. One probe a second is the only
 * traffic, whether anybody uses the cache or not: so the loss and the return of an idle level are noticed too.
 */
export class GuardedStore implements Store {
  readonly level: Exclude<Level, 'memory'>
  readonly #store: Store
  #state: 'up' | 'down' = 'up'
  #failures = 0
  /** How often a late answer was counted. */
  #lateCount = 0
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
      return await this.#counted(operation)
    } catch (error) {
      throw this.#unavailable(messageOf(error), error)
    }
  }

  async #counted<T>(operation: () => Promise<T>): Promise<T> {
    const lateCount = this.#lateCount
    try {
      const answer = await this.#limited(operation)
      this.#failures = 0
      return answer
    } catch (error) {
      if (!(error instanceof LateAnswer)) this.#failures += 1
      // What waited already when another was counted was kept waiting by the same.
      else if (lateCount === this.#lateCount) {
        this.#lateCount += 1
        this.#failures += 1
      }
      if (this.#failures >= STORE_FAILURES_MAX) this.#change('down', error)
      throw error
    }
  }

  /** Pending counts what the store still works on, also after nobody waits for it any more. */
  async #limited<T>(operation: () => Promise<T>): Promise<T> {
    this.#pending += 1
    const limit = startLimit()
    const work = operation().finally(() => {
      this.#pending -= 1
    })
    try {
      return await Promise.race([work, limit.over])
    } finally {
      limit.end()
      // What fails after its time has already been answered.
      work.catch(() => undefined)
    }
  }

  async #probe(): Promise<void> {
    try {
      await this.#counted(() => this.#store.ping())
      this.#change('up')
    } catch (error) {
      if (!(error instanceof LateAnswer)) this.#change('down', error)
      else if (this.#state === 'up' && !this.#isStopped) return this.#probe()
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

class LateAnswer extends Error {
  override readonly name = 'LateAnswer'
}

/**
 * The time limit of one operation. In ticks, each of which begins when the loop has come to the end of the one before:
 * however late the loop is, it has gone round that often, and has read what arrived meanwhile, before time is over.
 */
function startLimit(): { readonly over: Promise<never>; end(): void } {
  let timer: NodeJS.Timeout | undefined
  let ticksLeft = STORE_TIMEOUT_TICKS
  const over = new Promise<never>((_, reject) => {
    const tick = () => {
      ticksLeft -= 1
      if (ticksLeft >= 0) timer = setTimeout(tick, STORE_TIMEOUT_MS / STORE_TIMEOUT_TICKS)
      // After the last, too: timers come before what has arrived, immediates after it.
      else setImmediate(reject, new LateAnswer(`no answer within ${STORE_TIMEOUT_MS} ms`))
    }
    tick()
  })
  return { over, end: () => clearTimeout(timer) }
}
