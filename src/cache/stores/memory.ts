import { LRUCache } from 'lru-cache'
import { cacheEvicted } from '../channels.ts'
import { MEMORY_BYTES_MAX } from '../limits.ts'
import type { Held, Store } from '../store.ts'

/** Memory of an entry beside its value: key, bookkeeping, horizons. Measured with small values, rounded up. */
const ENTRY_OVERHEAD_BYTES = 768

/** Memory of a parsed value per character of its JSON. Measured with objects of short strings, rounded up. */
const BYTES_PER_CHAR = 4

/**
 * The first level: in this process, bounded in bytes, the least recently used goes first. `peek` answers
 * without a promise, since a hit is the most frequent thing a cache does.
 */
export class MemoryStore implements Store {
  readonly level = 'memory'
  readonly #entries: LRUCache<string, Held['entry']>

  constructor({ bytesMax = MEMORY_BYTES_MAX }: { readonly bytesMax?: number } = {}) {
    this.#entries = new LRUCache({
      maxSize: bytesMax,
      // Exact times: reading the clock costs less than the timer by which it would be remembered.
      ttlResolution: 0,
      sizeCalculation: (entry, key) => ENTRY_OVERHEAD_BYTES + key.length * 2 + entry.sizeChars * BYTES_PER_CHAR,
      dispose: (_entry, key, reason) => {
        if (reason !== 'evict' || !cacheEvicted.hasSubscribers) return
        cacheEvicted.publish({ cache: key.slice(0, key.indexOf(':')), level: 'memory' })
      },
    })
  }

  /** Bytes in use, as estimated. */
  get bytes(): number {
    return this.#entries.calculatedSize
  }

  get size(): number {
    return this.#entries.size
  }

  peek(key: string): Held['entry'] | undefined {
    return this.#entries.get(key)
  }

  put(key: string, { entry, ttlMs }: Held): void {
    this.#entries.set(key, entry, { ttl: ttlMs })
  }

  drop(key: string): void {
    this.#entries.delete(key)
  }

  async get(key: string): Promise<Held | undefined> {
    const entry = this.peek(key)
    return entry === undefined ? undefined : { entry, ttlMs: this.#entries.getRemainingTTL(key) }
  }

  async set(key: string, held: Held): Promise<void> {
    this.put(key, held)
  }

  async delete(key: string): Promise<void> {
    this.drop(key)
  }

  async ping(): Promise<void> {}

  async start(): Promise<void> {}

  async stop(): Promise<void> {
    this.#entries.clear()
  }
}
