import type { Lifecycle, StopOptions } from '../core/index.ts'
import { type Cache, type CacheDeclaration, isTtl, type LoadOptions } from './cache.ts'
import { cacheLoaded } from './channels.ts'
import { type Entry, entryOf } from './entry.ts'
import { cacheError } from './errors.ts'
import { Fences, type Seen } from './fences.ts'
import { Flights } from './flights.ts'
import { GuardedStore } from './guarded-store.ts'
import { Levels } from './levels.ts'
import { ENTRY_TAGS_MAX, JOIN_ATTEMPTS_MAX, KEY_CHARS_MAX } from './limits.ts'
import type { Source } from './source.ts'
import { MemoryStore } from './stores/memory.ts'
import type { RedisStore } from './stores/redis.ts'
import { checkedTags } from './tags.ts'

/** Finds the cache of a declaration: `caches(productDetails)`. Throws CACHE_NAME_TAKEN. */
export type Caches<Reader> = <Value>(declaration: CacheDeclaration<Value>) => Cache<Value, Reader>

export type CachesOptions<Reader> = {
  readonly source: Source<Reader>
  /** What is shared between processes, if anything is. */
  readonly second?: RedisStore
  /** Bytes of the first level. Default MEMORY_BYTES_MAX. */
  readonly memoryBytesMax?: number
  /** Those of the process; for tests that need others. */
  readonly fences?: Fences
}

/** All caches of a process. */
export type CacheSystem<Reader> = Lifecycle & {
  readonly caches: Caches<Reader>
  /** Caches for a reader who has seen the effects of these transactions, and is shown nothing older. */
  seeing(seen: Seen): Caches<Reader>
  /** To be fed by whoever knows what was invalidated. Until a shard is heard of, nothing read from it is served. */
  readonly fences: Fences
  /** The first level, for those who watch its size. */
  readonly memory: Pick<MemoryStore, 'bytes' | 'size'>
}

export function createCaches<Reader>(options: CachesOptions<Reader>): CacheSystem<Reader> {
  const { source, fences = new Fences() } = options
  const first = new MemoryStore(options.memoryBytesMax === undefined ? {} : { bytesMax: options.memoryBytesMax })
  const second = options.second === undefined ? undefined : new GuardedStore(options.second)
  const levels = new Levels({ first, second, fences, now: () => performance.now() })
  const parts = { source, fences, levels, flights: new Flights<Loaded>() }
  const declared = new Map<string, CacheDeclaration>()
  const known = new Map<string, NamedCache<unknown, Reader>>()

  function claim(declaration: CacheDeclaration): void {
    const other = declared.get(declaration.name)
    if (other !== undefined && other !== declaration) {
      throw cacheError('CACHE_NAME_TAKEN', `two caches are named "${declaration.name}": declare it once and share it`)
    }
    declared.set(declaration.name, declaration)
  }

  function find<Value>(declaration: CacheDeclaration<Value>): Cache<Value, Reader> {
    claim(declaration as CacheDeclaration)
    const cache = known.get(declaration.name) ?? new NamedCache<unknown, Reader>(declaration, parts)
    known.set(declaration.name, cache)
    return cache as Cache<unknown, Reader> as Cache<Value, Reader>
  }

  return {
    caches: find,
    seeing: (seen) => (declaration) => {
      claim(declaration as CacheDeclaration)
      return new NamedCache(declaration, parts, seen)
    },
    fences,
    memory: first,
    start: async () => second?.start(),
    async stop(stopOptions: StopOptions) {
      await second?.stop(stopOptions)
      await first.stop()
    },
  }
}

/** What a load came to: an entry, or nothing to keep. */
type Loaded = Entry | undefined

type Parts<Reader> = {
  readonly source: Source<Reader>
  readonly fences: Fences
  readonly levels: Levels
  readonly flights: Flights<Loaded>
}

type Load<Value, Reader> = {
  readonly key: string
  readonly options: LoadOptions<Value>
  readonly load: (reader: Reader) => Promise<Value>
}

class NamedCache<Value, Reader> implements Cache<Value, Reader> {
  readonly #declaration: CacheDeclaration<Value>
  readonly #parts: Parts<Reader>
  readonly #seen: Seen | undefined

  constructor(declaration: CacheDeclaration<Value>, parts: Parts<Reader>, seen?: Seen) {
    this.#declaration = declaration
    this.#parts = parts
    this.#seen = seen
  }

  async get(key: string): Promise<Value | undefined> {
    const name = this.#name(key)
    const { levels } = this.#parts
    const entry = levels.findFirst(this.#declaration, name) ?? (await levels.findSecond(this.#declaration, name))
    return entry !== undefined && this.#suffices(entry) ? (entry.value as Value) : undefined
  }

  async set(key: string, value: Value, ttlMs: number = this.#declaration.ttlMs): Promise<void> {
    const entry = entryOf(value, { tags: [], horizons: [] })
    await this.#parts.levels.set(this.#name(key), { entry, ttlMs: checkedTtl(ttlMs) })
  }

  async getOrLoad(key: string, options: LoadOptions<Value>, load: (reader: Reader) => Promise<Value>): Promise<Value> {
    const work: Load<Value, Reader> = { key: this.#name(key), options, load }
    if (options.freshness !== 'strong') {
      const entry = this.#parts.levels.findFirst(this.#declaration, work.key)
      if (entry !== undefined && this.#suffices(entry)) return entry.value as Value
      // A reader who has seen more than the entry, or who may, shares no load that began before it asked.
      if (this.#seen === undefined) return valueIn(await this.#share(work))
    }
    return valueIn(await this.#loadAndFill(work))
  }

  async delete(key: string): Promise<void> {
    const name = this.#name(key)
    this.#parts.flights.forget(name)
    await this.#parts.levels.delete(name)
  }

  /**
   * Joins the load under way for the key, or begins one. What was invalidated after this caller asked is not for it,
   * although it may be for whoever began the load.
   */
  async #share(work: Load<Value, Reader>): Promise<Loaded> {
    const { flights, levels } = this.#parts
    for (let attempt = 0; attempt < JOIN_ATTEMPTS_MAX; attempt++) {
      const { result, isOwn } = flights.join(work.key, () => this.#findOrLoad(work))
      const entry = await result
      if (isOwn || entry === undefined || !levels.isFenced(entry)) return entry
      flights.forget(work.key)
    }
    return this.#loadAndFill(work)
  }

  async #findOrLoad(work: Load<Value, Reader>): Promise<Loaded> {
    return (await this.#parts.levels.findSecond(this.#declaration, work.key)) ?? (await this.#loadAndFill(work))
  }

  async #loadAndFill({ key, options, load }: Load<Value, Reader>): Promise<Loaded> {
    const ttlMs = checkedTtl(options.ttlMs ?? this.#declaration.ttlMs)
    const entry = await this.#load(options, load)
    if (entry !== undefined) this.#parts.levels.fill(this.#declaration, key, { entry, ttlMs })
    return entry
  }

  async #load(options: LoadOptions<Value>, load: (reader: Reader) => Promise<Value>): Promise<Loaded> {
    const startedAtMs = performance.now()
    const cache = this.#declaration.name
    try {
      const { reader, horizons } = this.#parts.source.open()
      const value = await load(reader)
      const entry = value === undefined ? undefined : this.#entryOf(value, options, await horizons())
      if (cacheLoaded.hasSubscribers) {
        cacheLoaded.publish({ cache, outcome: 'loaded', durationMs: performance.now() - startedAtMs })
      }
      return entry
    } catch (error) {
      cacheLoaded.publish({ cache, outcome: 'failed', durationMs: performance.now() - startedAtMs })
      throw error
    }
  }

  #entryOf(value: Value, options: LoadOptions<Value>, horizons: Entry['horizons']): Entry {
    const tags = checkedTags(typeof options.tags === 'function' ? options.tags(value) : options.tags, ENTRY_TAGS_MAX)
    if (tags.length > 0 && horizons.length === 0) {
      throw cacheError(
        'CACHE_LOAD_UNFENCED',
        `a load of cache "${this.#declaration.name}" with tag "${tags[0]}" has not used its reader: query with it`,
      )
    }
    return entryOf(value, { tags, horizons })
  }

  #suffices(entry: Entry): boolean {
    return this.#seen === undefined || this.#parts.fences.covers(entry, this.#seen)
  }

  #name(key: string): string {
    if (key.length > 0 && key.length <= KEY_CHARS_MAX) return `${this.#declaration.name}:${key}`
    throw cacheError(
      'CACHE_KEY_INVALID',
      `a key of cache "${this.#declaration.name}" has ${key.length} characters: 1 to ${KEY_CHARS_MAX} are possible`,
    )
  }
}

function valueIn<Value>(entry: Loaded): Value {
  return entry?.value as Value
}

function checkedTtl(ttlMs: number): number {
  if (isTtl(ttlMs)) return ttlMs
  throw cacheError('CACHE_TTL_INVALID', `a time to live of ${ttlMs} ms: use a whole number from 1 up`)
}
