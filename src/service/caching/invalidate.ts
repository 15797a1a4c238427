import { checkedTags, INVALIDATED_TAGS_MAX } from '../../cache/index.ts'
import type { Context } from '../../core/index.ts'
import type { Transaction } from '../../data/index.ts'
import { invalidationCommitted } from './signals.ts'
import { addVersion } from './versions.ts'

/**
 * Invalidates, with the transaction, what was cached under the tags: if it commits, no cache of this process serves an
 * older value once it has resolved, and none of another process for longer than the bound; if it rolls back, nothing
 * happened. Call it in the transaction that changes the rows, on their shard. With the `context` of the request, its
 * answer carries a token by which whoever wrote sees the change in every process. Throws CACHE_TAGS_INVALID.
 */
export function invalidate(tx: Transaction, tags: readonly string[], context?: Context): void {
  const invalidated = tx.attach(INVALIDATED, () => new InvalidatedTags(tx))
  invalidated.add(checkedTags(tags, INVALIDATED_TAGS_MAX), context)
}

const INVALIDATED = Symbol('tags invalidated by a transaction')

class InvalidatedTags {
  readonly #tx: Transaction
  readonly #contexts = new Set<Context>()
  readonly #written = new Set<string>()
  #pending = new Set<string>()
  #xid = 0

  constructor(tx: Transaction) {
    this.#tx = tx
    tx.afterCommit(() => this.#committed())
  }

  add(tags: readonly string[], context: Context | undefined): void {
    if (context !== undefined) this.#contexts.add(context)
    if (this.#pending.size === 0 && tags.length > 0) this.#tx.beforeCommit(() => this.#write())
    for (const tag of tags) if (!this.#written.has(tag)) this.#pending.add(tag)
  }

  /** Awaited, unlike other last statements of a transaction: after the commit its id must be known. */
  async #write(): Promise<void> {
    const tags = [...this.#pending]
    this.#pending = new Set()
    if (tags.length === 0) return
    for (const tag of checkedTags([...this.#written, ...tags], INVALIDATED_TAGS_MAX)) this.#written.add(tag)
    const rows = await this.#tx.query<{ xid: string }>(WRITE, [tags])
    this.#xid = Number(rows[0]?.xid)
  }

  #committed(): void {
    if (this.#written.size === 0) return
    const { shard } = this.#tx
    for (const context of this.#contexts) addVersion(context, shard, this.#xid)
    invalidationCommitted({ shard, tags: [...this.#written], xid: this.#xid })
  }
}

const WRITE = `
  INSERT INTO groundswell.cache_invalidation (tag) SELECT * FROM unnest($1::text[]) RETURNING xid::text`
