import { GroundswellError } from '../core/index.ts'
import type { CacheDeclaration } from './cache.ts'
import { cacheRead, fillRejected, type Level, type MissReason } from './channels.ts'
import type { Entry } from './entry.ts'
import type { Fences } from './fences.ts'
import { VALUE_CHARS_MAX } from './limits.ts'
import type { Held, Store } from './store.ts'
import type { MemoryStore } from './stores/memory.ts'

export type LevelsOptions = {
  readonly first: MemoryStore
  readonly second: Store | undefined
  readonly fences: Fences
  /** Milliseconds that only go forward. */
  readonly now: () => number
}

/**
 * The levels as one: whatever level an entry comes from, the fences of this process decide whether it is served.
 * Entries that nothing can invalidate live in the outermost level alone, so that every process sees them set and
 * deleted.
 */
export class Levels {
  readonly #first: MemoryStore
  readonly #second: Store | undefined
  readonly #fences: Fences
  readonly #now: () => number

  constructor({ first, second, fences, now }: LevelsOptions) {
    this.#first = first
    this.#second = second
    this.#fences = fences
    this.#now = now
  }

  isFenced(entry: Entry): boolean {
    return this.#fences.verdict(entry, this.#now()) === 'fenced'
  }

  /** A valid entry of the first level. Without a promise: the hot path. */
  findFirst(declaration: CacheDeclaration, key: string): Entry | undefined {
    const entry = this.#first.peek(key)
    if (entry === undefined) return missed(declaration, 'memory', 'absent')
    const verdict = this.#fences.verdict(entry, this.#now())
    if (verdict === 'valid') {
      if (cacheRead.hasSubscribers) cacheRead.publish({ cache: declaration.name, level: 'memory', outcome: 'hit' })
      return entry
    }
    if (verdict === 'fenced') this.#first.drop(key)
    return missed(declaration, 'memory', verdict)
  }

  /** A valid entry of the second level, which is then in the first as well. Never rejects because a level is away. */
  async findSecond(declaration: CacheDeclaration, key: string): Promise<Entry | undefined> {
    const store = this.#second
    if (store === undefined) return undefined
    const found = await store.get(key).catch(unavailable)
    if (found === undefined) return missed(declaration, store.level, 'absent')
    if (found === 'unreadable' || found === 'unavailable') return missed(declaration, store.level, found)
    if (!declaration.schema.safeParse(found.entry.value).success) return missed(declaration, store.level, 'unreadable')
    const verdict = this.#fences.verdict(found.entry, this.#now())
    if (verdict !== 'valid') return missed(declaration, store.level, verdict)
    if (cacheRead.hasSubscribers) cacheRead.publish({ cache: declaration.name, level: store.level, outcome: 'hit' })
    if (!isPlain(found.entry)) this.#first.put(key, found)
    return found.entry
  }

  /**
   * Keeps what was loaded. The check only saves work: whether the entry is valid is decided when it is read. The second
   * level is written beside the answer, since a fill that is lost costs a load and no more.
   */
  fill(declaration: CacheDeclaration, key: string, held: Held): void {
    const reason =
      held.entry.sizeChars > VALUE_CHARS_MAX ? 'too-large' : this.isFenced(held.entry) ? 'fenced' : undefined
    if (reason !== undefined) {
      fillRejected.publish({ cache: declaration.name, reason })
      return
    }
    if (this.#second === undefined || !isPlain(held.entry)) this.#first.put(key, held)
    void this.#second?.set(key, held).catch(unavailable)
  }

  /** Keeps a value that no tag can invalidate. */
  async set(key: string, held: Held): Promise<void> {
    if (this.#second === undefined) {
      this.#first.put(key, held)
      return
    }
    await this.#second.set(key, held)
    this.#first.drop(key)
  }

  async delete(key: string): Promise<void> {
    this.#first.drop(key)
    await this.#second?.delete(key)
  }
}

/** Whether nothing but its time to live ends an entry. */
function isPlain(entry: Entry): boolean {
  return entry.tags.length === 0
}

function missed({ name }: CacheDeclaration, level: Level, reason: MissReason): undefined {
  if (cacheRead.hasSubscribers) cacheRead.publish({ cache: name, level, outcome: 'miss', reason })
  return undefined
}

function unavailable(error: unknown): 'unavailable' {
  if (error instanceof GroundswellError && error.code === 'CACHE_STORE_UNAVAILABLE') return 'unavailable'
  throw error
}
