import { WRITTEN_CHARS_MAX } from './limits.ts'
import type { EmittedEvent } from './segment.ts'

export type Written = {
  readonly id: string
  readonly records: string
  /** Undefined when reading an event back gives something else than was emitted. */
  readonly emitted?: readonly EmittedEvent[] | undefined
}

/**
 * Segments that transactions of this process are writing or have written, by shard, until its sequencer takes
 * them into the log: it need not read back what is here. A hint only: some may be missing, which are then read, and
 * some may never be taken, because they were rolled back or another process sequences; the oldest are let go.
 */
export class WrittenSegments {
  private readonly shards = new Map<number, ShardSegments>()

  add(shard: number, segments: readonly Written[]): void {
    const known = this.shards.get(shard) ?? new ShardSegments()
    this.shards.set(shard, known)
    for (const segment of segments) known.add(segment)
  }

  /** Those of a shard as they are now. */
  of(shard: number): ReadonlyMap<string, Written> {
    return new Map(this.shards.get(shard)?.segments.map((segment) => [segment.id, segment]))
  }

  forget(shard: number, ids: readonly string[]): void {
    if (ids.length > 0) this.shards.get(shard)?.forget(new Set(ids))
  }
}

/** Lists, not Maps that entries come to and go from by the thousand: see core's Bag for what that costs. */
class ShardSegments {
  segments: Written[] = []
  private chars = 0

  add(segment: Written): void {
    this.segments.push(segment)
    this.chars += segment.records.length
    let excess = 0
    for (; this.chars > WRITTEN_CHARS_MAX; excess++) this.chars -= this.segments[excess]?.records.length ?? 0
    if (excess > 0) this.segments.splice(0, excess)
  }

  forget(ids: ReadonlySet<string>): void {
    this.segments = this.segments.filter((segment) => !ids.has(segment.id))
    this.chars = this.segments.reduce((sum, { records }) => sum + records.length, 0)
  }
}

/** Of this process. Ids are unique, so that clusters may share it. */
export const writtenSegments = new WrittenSegments()
