import { z } from 'zod'

/**
 * A cache as it is declared: its name, what its values are, and how long they live when nothing invalidates them. A
 * plain value, like endpoints and events.
 */
export type CacheDeclaration<Value = unknown> = {
  readonly name: string
  /** What comes from outside of the process is parsed by it; what does not fit is as if it were not there. */
  readonly schema: z.ZodType<Value>
  /** Default time to live, in milliseconds. */
  readonly ttlMs: number
}

export type LoadOptions<Value> = {
  /** What invalidates the value: fixed, or told by the value itself. Without any, only its time to live does. */
  readonly tags: readonly string[] | ((value: Value) => readonly string[])
  readonly ttlMs?: number
  /** `strong` asks no cache and joins no load: what it returns is as new as the database. Default `bounded`. */
  readonly freshness?: 'bounded' | 'strong'
}

/**
 * A named cache. Values are what JSON can hold; they come back frozen, and `undefined` is never kept. Keys are 1 to 512
 * characters; those of two caches never meet.
 */
export type Cache<Value, Reader> = {
  /** The value if one is kept and still valid. Never throws because a level is away. */
  get(key: string): Promise<Value | undefined>
  /**
   * Keeps a value that nothing but its time to live (milliseconds, the cache's default) ends, in the outermost level,
   * where every process sees it. For rows of the database use `getOrLoad`. Throws CACHE_STORE_UNAVAILABLE when that
   * level is away.
   */
  set(key: string, value: Value, ttlMs?: number): Promise<void>
  /**
   * The value kept, or what `load` returns. `load` must read the database with the reader it is given, which is what
   * its value is fenced by. All who ask for a key meanwhile share one load, and its failure; a load that was overtaken
   * by an invalidation answers only those who had asked before that. Throws CACHE_LOAD_UNFENCED, CACHE_LOAD_TIMEOUT.
   */
  getOrLoad(key: string, options: LoadOptions<Value>, load: (reader: Reader) => Promise<Value>): Promise<Value>
  /**
   * Removes what this process and the outermost level keep. Other processes may keep a loaded value: invalidate its
   * tags instead. Throws CACHE_STORE_UNAVAILABLE when a level is away. Idempotent.
   */
  delete(key: string): Promise<void>
}

const NAME = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/

/** Declares a cache: `cache('product-details', { schema: Product, ttlMs: 3_600_000 })`. */
export function cache<Value>(
  name: string,
  options: { readonly schema: z.ZodType<Value>; readonly ttlMs: number },
): CacheDeclaration<Value> {
  if (!NAME.test(name)) throw new Error(`cache name "${name}" must be kebab-case, like "product-details"`)
  if (!isTtl(options.ttlMs)) throw new Error(`cache ${name}: ttlMs must be 1 or more, is ${options.ttlMs}`)
  return { name, ...options }
}

export function isTtl(ttlMs: number): boolean {
  return Number.isSafeInteger(ttlMs) && ttlMs >= 1
}

const FIVE_MINUTES_MS = 300_000
const DAY_MS = 86_400_000

/** For whatever has no cache of its own: five minutes. */
export const defaultCache = cache('default', { schema: z.unknown(), ttlMs: FIVE_MINUTES_MS })

/** For what hardly ever changes: a day. */
export const longTermCache = cache('long-term', { schema: z.unknown(), ttlMs: DAY_MS })
