import { WRITTEN_CHARS_MAX } from './limits.ts'

type Written = { readonly id: string; readonly records: string }

/**
 * Texts of segments that transactions of this process are writing or have written, by shard, until its sequencer takes
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
  of(shard: number): ReadonlyMap<string, string> {
    return new Map(this.shards.get(shard)?.records)
  }

  forget(shard: number, ids: readonly string[]): void {
    for (const id of ids) this.shards.get(shard)?.forget(id)
  }
}

class ShardSegments {
  readonly records = new Map<string, string>()
  private chars = 0

  add({ id, records }: Written): void {
    this.records.set(id, records)
    this.chars += records.length
    while (this.chars > WRITTEN_CHARS_MAX) this.forget(this.records.keys().next().value ?? '')
  }

  forget(id: string): void {
    this.chars -= this.records.get(id)?.length ?? 0
    this.records.delete(id)
  }
}

/** Of this process. Ids are unique, so that clusters may share it. */
export const writtenSegments = new WrittenSegments()
