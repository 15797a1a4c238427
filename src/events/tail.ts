import { TAIL_EVENTS_MAX } from './limits.ts'
import { decodeSegment, type LoggedEvent, type Segment } from './segment.ts'

/**
 * The newest part of one shard's log in memory, for the groups of the process that sequences it: they need not read
 * back what was just written, and a segment is parsed once for all of them. Bounded: what is too old is read from the
 * log instead.
 *   blind:  another process sequences; every read answers "ask the log"
 *   seeing: from `prime` to `clear`, this process appends all there is, so that "nothing new" needs no query either
 */
export class Tail {
  private readonly topics = new Map<string, TopicTail>()
  /** Next offset by topic; undefined while blind. */
  private heads: Map<string, number> | undefined

  /** This process sequences from now on; the log ends at these offsets. */
  prime(heads: ReadonlyMap<string, number>): void {
    this.clear()
    this.heads = new Map(heads)
  }

  /** Another process sequences from now on. */
  clear(): void {
    this.heads = undefined
    for (const tail of this.topics.values()) tail.clear()
  }

  get seeing(): boolean {
    return this.heads !== undefined
  }

  /** Keeps what comes from now on of these topics for the group. */
  join(group: string, topics: readonly string[]): void {
    for (const topic of topics) {
      const tail = this.topics.get(topic) ?? new TopicTail()
      this.topics.set(topic, tail)
      tail.readers.set(group, 0)
    }
  }

  leave(group: string): void {
    for (const [topic, tail] of this.topics) {
      tail.readers.delete(group)
      if (tail.readers.size === 0) this.topics.delete(topic)
    }
  }

  /** Adds segments that were appended to the log, in order. Returns the topics that they belong to. */
  append(segments: readonly Segment[]): ReadonlySet<string> {
    const changed = new Set<string>()
    for (const segment of segments) {
      this.heads?.set(segment.topic, segment.lastOffset + 1)
      this.topics.get(segment.topic)?.append(segment)
      changed.add(segment.topic)
    }
    return changed
  }

  /**
   * Up to `max` events from `offset` on, none when there are none yet; undefined when memory cannot tell and the log
   * must be read. What every reader has passed is let go.
   */
  read(
    group: string,
    topic: string,
    range: { readonly offset: number; readonly max: number },
  ): LoggedEvent[] | undefined {
    const tail = this.topics.get(topic)
    tail?.passed(group, range.offset)
    if (this.heads === undefined) return undefined
    if (range.offset === (this.heads.get(topic) ?? 0)) return []
    return tail?.read(range)
  }
}

type Kept = { readonly segment: Segment; events: readonly LoggedEvent[] | undefined }

class TopicTail {
  /** Next offset of each group. */
  readonly readers = new Map<string, number>()
  private kept: Kept[] = []
  private count = 0

  append(segment: Segment): void {
    const last = this.kept.at(-1)
    // A drain in between was committed but its answer got lost: readers before the gap must ask the log.
    if (last !== undefined && last.segment.lastOffset + 1 !== firstOffset(segment)) this.clear()
    this.kept.push({ segment, events: undefined })
    this.count += segment.events
    while (this.count > TAIL_EVENTS_MAX) this.drop(1)
  }

  read({ offset, max }: { readonly offset: number; readonly max: number }): LoggedEvent[] | undefined {
    const first = this.kept[0]
    if (first === undefined || offset < firstOffset(first.segment)) return undefined
    const events: LoggedEvent[] = []
    for (const kept of this.kept) {
      if (events.length >= max) break
      if (kept.segment.lastOffset < offset) continue
      kept.events ??= decodeSegment(kept.segment)
      const from = Math.max(0, offset - firstOffset(kept.segment))
      events.push(...kept.events.slice(from, from + max - events.length))
    }
    return events
  }

  passed(group: string, offset: number): void {
    if (this.readers.get(group) === offset) return
    this.readers.set(group, offset)
    const slowest = Math.min(...this.readers.values())
    const keep = this.kept.findIndex(({ segment }) => segment.lastOffset >= slowest)
    this.drop(keep === -1 ? this.kept.length : keep)
  }

  clear(): void {
    this.drop(this.kept.length)
  }

  private drop(count: number): void {
    for (const { segment } of this.kept.splice(0, count)) this.count -= segment.events
  }
}

function firstOffset(segment: Segment): number {
  return segment.lastOffset - segment.events + 1
}
