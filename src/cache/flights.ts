import { LRUCache } from 'lru-cache'
import { cacheError } from './errors.ts'
import { LOAD_FAILURE_KEPT_MS, LOAD_FAILURES_MAX, LOAD_TIMEOUT_MS } from './limits.ts'

export type Flight<Result> = {
  readonly result: Promise<Result>
  /** True for the caller whose work this is; others joined it. */
  readonly isOwn: boolean
}

/**
 * One piece of work per key at a time, for all who ask for it meanwhile. A failure is shared as well, and answers who
 * comes within LOAD_FAILURE_KEPT_MS. Work that never ends is given up, so that its key is not lost for ever.
 */
export class Flights<Result> {
  readonly #underWay = new Map<string, Promise<Result>>()
  readonly #failures = new LRUCache<string, Promise<Result>>({ max: LOAD_FAILURES_MAX, ttl: LOAD_FAILURE_KEPT_MS })

  join(key: string, work: () => Promise<Result>): Flight<Result> {
    const known = this.#underWay.get(key) ?? this.#failures.get(key)
    if (known !== undefined) return { result: known, isOwn: false }
    const result = withinTime(key, work)
    this.#underWay.set(key, result)
    result.then(
      () => this.#land(key, result),
      () => {
        this.#land(key, result)
        this.#failures.set(key, result)
      },
    )
    return { result, isOwn: true }
  }

  /** Lets nobody join any more what is under way for the key. */
  forget(key: string): void {
    this.#underWay.delete(key)
    this.#failures.delete(key)
  }

  #land(key: string, result: Promise<Result>): void {
    if (this.#underWay.get(key) === result) this.#underWay.delete(key)
  }
}

async function withinTime<Result>(key: string, work: () => Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(cacheError('CACHE_LOAD_TIMEOUT', `the load of ${key} took more than ${LOAD_TIMEOUT_MS} ms`)),
      LOAD_TIMEOUT_MS,
    )
  })
  try {
    return await Promise.race([work(), late])
  } finally {
    clearTimeout(timer)
  }
}
