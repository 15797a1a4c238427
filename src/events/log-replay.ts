import type { Shard } from '../data/index.ts'
import type { CallOptions } from './calls.ts'
import { eventsError } from './errors.ts'
import { DELIVERY_EVENTS_MAX } from './limits.ts'
import { LogReader } from './log-reader.ts'
import { partitionOf } from './partition.ts'
import { endsOf, type Group } from './plan.ts'
import type { LoggedEvent } from './segment.ts'
import { streamOf, topicOf } from './stream.ts'
import { Tail } from './tail.ts'
import type { Targets } from './targets.ts'

export type LogReplayOptions = {
  readonly source: Shard
  readonly group: Group
  /** Of every topic that the broker carries. */
  readonly partitions: ReadonlyMap<string, number>
}

/**
 * What a group that reads from a broker has from the log instead, after an operator sent it back: the streams that are
 * held, each until it is where the group and the forwarder had come to, one topic after the other. Which partition an
 * event belongs to follows from its key, so that positions move here as they do when the broker delivers.
 */
export class LogReplay {
  private readonly options: LogReplayOptions
  private readonly targets: Targets
  /** Streams that are to be brought up to these offsets. */
  private readonly held: Map<string, number>
  private reading: { readonly topic: string; readonly reader: LogReader; next: number } | undefined

  /** Goes on where these targets have come to. */
  constructor(options: LogReplayOptions, targets: Targets) {
    this.options = options
    this.targets = targets
    this.held = new Map(targets.own.held)
  }

  /** Delivers the next batch; false when no stream is held. Throws EVENTS_OFFSET_EXPIRED when the log lacks it. */
  async deliver(call: CallOptions): Promise<boolean> {
    const [stream] = this.held.keys()
    if (stream === undefined) return false
    this.reading ??= this.begin(topicOf(stream))
    const { topic, reader, next } = this.reading
    const read = await reader.read(new Map([[topic, next]]), DELIVERY_EVENTS_MAX)
    if (read.length === 0) throw this.expired(topic, next)
    const end = next + read.length
    const events = this.ofHeldStreams(read)
    // Streams end where they are held, also when their last event lies before.
    const reached = this.heldOf(topic).filter(([, until]) => until <= end)
    const ends = new Map([...endsOf(events), ...reached])
    if (!(await this.targets.deliver(events, ends, call))) await this.targets.own.advance(ends)
    for (const [done] of reached) this.held.delete(done)
    this.reading = this.heldOf(topic).length === 0 ? undefined : { topic, reader, next: end }
    return true
  }

  /** From the stream on that is furthest behind. */
  private begin(topic: string) {
    const { source, group } = this.options
    const next = Math.min(...this.heldOf(topic).map(([stream]) => this.positionOf(stream)))
    const onGap = () => Promise.reject(this.expired(topic, next))
    // A tail that nobody feeds: what is read here is old.
    const reader = new LogReader({ source, tail: new Tail(), name: group.name, topics: [topic], onGap })
    return { topic, reader, next }
  }

  private heldOf(topic: string): (readonly [stream: string, until: number])[] {
    return [...this.held].filter(([stream]) => topicOf(stream) === topic)
  }

  private positionOf(stream: string): number {
    return this.targets.own.positions.get(stream) ?? 0
  }

  /** Those that the group has yet to have from here, as they come from the broker. */
  private ofHeldStreams(read: readonly LoggedEvent[]): LoggedEvent[] {
    const events: LoggedEvent[] = []
    for (const event of read) {
      const partition = partitionOf(event.envelope.key, this.options.partitions.get(event.topic) ?? 1)
      const stream = streamOf(event.topic, partition)
      const until = this.held.get(stream) ?? 0
      if (event.offset < until && event.offset >= this.positionOf(stream)) events.push({ ...event, stream })
    }
    return events
  }

  private expired(topic: string, offset: number): Error {
    const { source, group } = this.options
    const what = `offset ${offset} of ${topic}, which the log of shard ${source.index} holds no more`
    const remedy = `to go on without it: groundswell events replay ${group.name} --from earliest`
    return eventsError('EVENTS_OFFSET_EXPIRED', `${group.name} was sent back to ${what}; ${remedy}`, {
      details: { shard: source.index, group: group.name, topic, offset },
    })
  }
}
