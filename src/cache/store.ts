import type { Lifecycle } from '../core/index.ts'
import type { Level } from './channels.ts'
import type { Entry } from './entry.ts'

/** An entry with the time that is left of its life. Never a point in time: clocks of two machines differ. */
export type Held = { readonly entry: Entry; readonly ttlMs: number }

/**
 * One level: entries by key, each until its time to live is over or room is needed. A store may lose entries and may
 * bring old ones back, since whether an entry is valid is decided at every read, by fences that are not in the store.
 * It may not change them, nor answer one key with another's. Rejects when it cannot do what was asked.
 */
export type Store = Lifecycle & {
  readonly level: Level
  /** The entry, `unreadable` when there is something that is not an entry, undefined when there is nothing. */
  get(key: string): Promise<Held | 'unreadable' | undefined>
  set(key: string, held: Held): Promise<void>
  /** Idempotent. */
  delete(key: string): Promise<void>
  /** Resolves when the store can work. */
  ping(): Promise<void>
}
