import type { Entry, Horizon } from './entry.ts'
import { FENCE_SILENCE_MS, FENCED_TAGS_MAX } from './limits.ts'

/** What a process has learnt from one shard, all from one snapshot of it. */
export type FenceReport = {
  readonly shard: number
  readonly incarnation: string
  /** Every invalidation of a transaction below it is in this report or in an earlier one. */
  readonly watermark: number
  /** The highest transaction id whose invalidations may no longer be known one by one. */
  readonly floor: number
  /** Tags with the highest transaction that invalidated each. */
  readonly fences: readonly (readonly [tag: string, xid: number])[]
  /** When the report was asked for, by the clock that verdicts are asked with. */
  readonly askedAtMs: number
}

/** Whether an entry may be served; if not, whether an invalidation has overtaken it or nobody can tell right now. */
export type Verdict = 'valid' | 'fenced' | 'unheard'

/** Transactions whose effects a reader has seen: shard to transaction id. */
export type Seen = ReadonlyMap<number, number>

type ShardState = {
  incarnation: string
  watermark: number
  floor: number
  heardAtMs: number
}

/**
 * The fences of this process: for each tag the highest transaction that invalidated it, per shard. An entry is valid if
 * and only if every fence of its tags is below the horizon it was read at, and its shards have been heard from within
 * FENCE_SILENCE_MS. Fences only rise, so that they may be applied late, twice, and in any order.
 *
 * Why it holds: an invalidation is part of the transaction that changes the rows. If transaction x is not below the
 * horizon, the value may have been read before x committed, and is refused; if x is below it, x had ended before the
 * horizon was read, so the value was read with the effects of x.
 */
export class Fences {
  readonly #tagsMax: number
  readonly #shards = new Map<number, ShardState>()
  /** Tags in the order of their last fence: the first is the one to forget. */
  readonly #tags = new Map<string, Map<number, number>>()

  constructor(tagsMax: number = FENCED_TAGS_MAX) {
    this.#tagsMax = tagsMax
  }

  /** How many tags have a fence of their own. */
  get size(): number {
    return this.#tags.size
  }

  /** Applies an invalidation that has committed. */
  raise(shard: number, tags: readonly string[], xid: number): void {
    for (const tag of tags) this.#raise(tag, shard, xid)
    this.#forgetOldest()
  }

  /** Takes what a follower of the shard has read. */
  hear({ shard, incarnation, watermark, floor, fences, askedAtMs }: FenceReport): void {
    const known = this.#shards.get(shard)
    if (known !== undefined && known.incarnation === incarnation) {
      known.watermark = Math.max(known.watermark, watermark)
      known.floor = Math.max(known.floor, floor)
      known.heardAtMs = Math.max(known.heardAtMs, askedAtMs)
    } else {
      // No entry of the former run is valid any more, so its fences have nothing left to refuse.
      if (known !== undefined) for (const byShard of this.#tags.values()) byShard.delete(shard)
      this.#shards.set(shard, { incarnation, watermark, floor, heardAtMs: askedAtMs })
    }
    for (const [tag, xid] of fences) this.#raise(tag, shard, xid)
    this.#forgetOldest()
  }

  verdict(entry: Entry, nowMs: number): Verdict {
    for (const horizon of entry.horizons) {
      const verdict = this.#verdictOf(horizon, nowMs)
      if (verdict !== 'valid') return verdict
    }
    for (const tag of entry.tags) if (this.#isOvertaken(entry, tag)) return 'fenced'
    return 'valid'
  }

  /** Whether a valid entry cannot be older than what the reader has seen. */
  covers(entry: Entry, seen: Seen): boolean {
    return entry.horizons.every(({ shard, asOf }) => {
      const xid = seen.get(shard)
      return xid === undefined || asOf > xid || (this.#shards.get(shard)?.watermark ?? 0) > xid
    })
  }

  #verdictOf({ shard, incarnation, asOf }: Horizon, nowMs: number): Verdict {
    const state = this.#shards.get(shard)
    if (state === undefined || nowMs - state.heardAtMs > FENCE_SILENCE_MS) return 'unheard'
    return state.incarnation === incarnation && asOf > state.floor ? 'valid' : 'fenced'
  }

  /** A fence on a shard that the value was not read from refuses it too: its rows may have moved there since. */
  #isOvertaken(entry: Entry, tag: string): boolean {
    const byShard = this.#tags.get(tag)
    if (byShard === undefined) return false
    for (const [shard, xid] of byShard) {
      const horizon = entry.horizons.find((one) => one.shard === shard)
      if (horizon === undefined || xid >= horizon.asOf) return true
    }
    return false
  }

  #raise(tag: string, shard: number, xid: number): void {
    const byShard = this.#tags.get(tag) ?? new Map<number, number>()
    byShard.set(shard, Math.max(byShard.get(shard) ?? 0, xid))
    this.#tags.delete(tag)
    this.#tags.set(tag, byShard)
  }

  #forgetOldest(): void {
    for (const [tag, byShard] of this.#tags) {
      if (this.#tags.size <= this.#tagsMax) return
      this.#tags.delete(tag)
      for (const [shard, xid] of byShard) {
        const state = this.#shards.get(shard)
        // A shard not heard from yet has no valid entries, and its first report brings this fence again.
        if (state !== undefined) state.floor = Math.max(state.floor, xid)
      }
    }
  }
}
