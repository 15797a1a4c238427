import type { Shard } from '../data/index.ts'
import { readLog } from './engines/postgres-log.ts'
import { eventsError } from './errors.ts'
import { followOn } from './plan.ts'
import { decodeSegment, type LoggedEvent } from './segment.ts'
import type { Tail } from './tail.ts'

export type LogReaderOptions = {
  readonly source: Shard
  readonly tail: Tail
  /** Who reads, for the tail. */
  readonly name: string
  readonly topics: readonly string[]
  /** Events are missing: throws if it knows why. */
  readonly onGap?: () => Promise<void>
}

/** Reads one shard's log onwards for one reader: from memory where the tail holds what comes next, else the log. */
export class LogReader {
  readonly topics: readonly string[]
  private readonly options: LogReaderOptions
  private firstTopic = 0
  private distrustsTail = false

  constructor(options: LogReaderOptions) {
    this.options = options
    this.topics = options.topics
    options.tail.join(options.name, options.topics)
  }

  /** Whether another process sequences the shard, so that only the log itself tells what is new. */
  get blind(): boolean {
    return !this.options.tail.seeing
  }

  /**
   * Nothing was signalled for a while: the next read asks the log itself, in case a drain was committed but its answer
   * got lost.
   */
  distrustTail(): void {
    this.distrustsTail = true
  }

  /** Lets go of what the tail keeps for this reader. */
  leave(): void {
    this.options.tail.leave(this.options.name)
  }

  /** Up to `max` events from these offsets on, in order within each topic. Throws EVENTS_LOG_UNREADABLE. */
  async read(next: ReadonlyMap<string, number>, max: number): Promise<LoggedEvent[]> {
    const events: LoggedEvent[] = []
    const unknown = new Map<string, number>()
    // Another topic is first each time, so that a busy one cannot starve the others.
    this.firstTopic = (this.firstTopic + 1) % this.topics.length
    for (const topic of [...this.topics.slice(this.firstTopic), ...this.topics.slice(0, this.firstTopic)]) {
      if (events.length >= max) break
      const offset = next.get(topic) ?? 0
      const found = this.options.tail.read(this.options.name, topic, { offset, max: max - events.length })
      const asksLog = found === undefined || !followOn(found, offset) || (found.length === 0 && this.distrustsTail)
      if (asksLog) unknown.set(topic, offset)
      else for (const event of found) events.push(event)
    }
    if (unknown.size > 0 && events.length < max) await this.readFromLog(unknown, max - events.length, events)
    this.distrustsTail = false
    return events
  }

  private async readFromLog(wanted: ReadonlyMap<string, number>, max: number, into: LoggedEvent[]): Promise<void> {
    const next = new Map(wanted)
    const end = into.length + max
    for (const segment of await readLog(this.options.source, wanted, max)) {
      if (into.length >= end) break
      const offset = next.get(segment.topic) ?? 0
      const first = segment.lastOffset - segment.events + 1
      if (first > offset) {
        await this.options.onGap?.()
        throw eventsError('EVENTS_LOG_UNREADABLE', `${segment.topic} has a gap: ${offset} to ${first - 1} are missing`)
      }
      const events = decodeSegment(segment).slice(offset - first, offset - first + end - into.length)
      for (const event of events) into.push(event)
      next.set(segment.topic, offset + events.length)
    }
  }
}
