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
    return new Map(this.shards.get(shard)?.segments)
  }

  forget(shard: number, ids: readonly string[]): void {
    for (const id of ids) this.shards.get(shard)?.forget(id)
  }
}

class ShardSegments {
  readonly segments = new Map<string, Written>()
  private chars = 0

  add(segment: Written): void {
    this.segments.set(segment.id, segment)
    this.chars += segment.records.length
    while (this.chars > WRITTEN_CHARS_MAX) this.forget(this.segments.keys().next().value ?? '')
  }

  forget(id: string): void {
    this.chars -= this.segments.get(id)?.records.length ?? 0
    this.segments.delete(id)
  }
}

/** Of this process. Ids are unique, so that clusters may share it. */
export const writtenSegments = new WrittenSegments()
