import { delay, jittered } from '../core/index.ts'
import type { Shard } from '../data/index.ts'
import type { Broker, BrokerRecord } from './broker.ts'
import { recordOf } from './broker-record.ts'
import { forwarded, workFailed } from './channels.ts'
import {
  advancePositions,
  createPositions,
  FORWARDER,
  loadPositions,
  type Moves,
} from './engines/postgres-positions.ts'
import { eventsError } from './errors.ts'
import { FORWARD_EVENTS_MAX, READ_POLL_MS_LOCAL, READ_POLL_MS_REMOTE } from './limits.ts'
import { LogReader } from './log-reader.ts'
import { partitionOf } from './partition.ts'
import { backoffMs } from './pause.ts'
import { assertNothingMissed } from './retention.ts'
import type { LoggedEvent } from './segment.ts'
import { Gate } from './signals.ts'
import { streamOf } from './stream.ts'
import type { Tail } from './tail.ts'

/** Whoever moves the forwarder finds it failing, and it looks where it is before it tries again. */
const NONE: Moves = new Map()

export type ForwarderOptions = {
  readonly source: Shard
  readonly tail: Tail
  readonly broker: Pick<Broker, 'publish'>
  /** Of every topic that the broker carries. */
  readonly partitions: ReadonlyMap<string, number>
}

/**
 * Forwards one shard's log to the broker, for as long as this process holds the forwarder's lease there.
 *   loading:    how far each topic was forwarded, and the last record of each partition
 *   forwarding: read, publish, and once the broker has acknowledged all of it, advance the positions
 *   waiting:    for a signal, a notice, or the poll
 *   failed:     the broker or the database is away, or retention dropped what was not forwarded yet → after a pause,
 *               loading, for as long as it takes
 *   stopped:    by `stop()`; the batch under way is finished
 * A crash or a lost lease between acknowledgement and position repeats records. They say the same as the first time,
 * their place included, since place and partition follow from the log alone: readers know them as repetitions.
 */
export class Forwarder {
  private readonly options: ForwarderOptions
  private readonly reader: LogReader
  private readonly gate = new Gate()
  private readonly stopping = new AbortController()
  private readonly running: Promise<void>
  private positions: Map<string, number> | undefined
  private failures = 0

  constructor(options: ForwarderOptions) {
    const { source, tail, partitions } = options
    this.options = options
    // In quotes, for shells that take the tilde for a folder.
    const remedy = `events skip '${FORWARDER}' --shard ${source.index}`
    const reading = { group: FORWARDER, topics: partitions, remedy }
    this.reader = new LogReader({
      source,
      tail,
      name: FORWARDER,
      topics: [...partitions.keys()],
      onGap: () => assertNothingMissed(source, reading),
    })
    this.running = this.run()
  }

  /** The log may have grown. */
  signal(): void {
    this.gate.open()
  }

  /** Whether it forwards any of these topics. */
  consumes(topics: ReadonlySet<string>): boolean {
    return this.reader.topics.some((topic) => topics.has(topic))
  }

  /** Resolves when the batch under way is done. */
  stop(): Promise<void> {
    this.stopping.abort()
    this.gate.open()
    return this.running
  }

  /** Nothing outlasts the batch under way. */
  abort(): void {}

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        this.positions ??= await this.load()
        const events = await this.reader.read(this.positions, FORWARD_EVENTS_MAX)
        if (events.length > 0) await this.forward(this.positions, events)
        else if (!(await this.gate.wait(this.waitMs()))) this.reader.distrustTail()
        this.failures = 0
      } catch (error) {
        this.positions = undefined
        if (this.stopping.signal.aborted) break
        const retryInMs = backoffMs(this.failures++)
        workFailed.publish({ shard: this.options.source.index, part: 'forwarder', error, retryInMs })
        await delay(retryInMs, this.stopping.signal)
      }
    }
    this.reader.leave()
  }

  private async load(): Promise<Map<string, number>> {
    const scope = this.scope
    await createPositions(this.options.source, scope, this.reader.topics)
    return loadPositions(this.options.source, scope)
  }

  private async forward(positions: Map<string, number>, events: readonly LoggedEvent[]): Promise<void> {
    const { source, broker } = this.options
    const startedAtMs = performance.now()
    const { records, ends } = this.place(positions, events)
    await broker.publish(records)
    const streams = [...ends.keys()].filter((stream) => !positions.has(stream))
    if (streams.length > 0) {
      await createPositions(source, this.scope, streams)
      for (const stream of streams) positions.set(stream, 0)
    }
    const advanced = await advancePositions(source, this.scope, { expected: positions, next: ends, moves: NONE })
    if (!advanced) throw eventsError('EVENTS_POSITION_TAKEN', `another process forwards shard ${source.index}`)
    for (const [stream, offset] of ends) positions.set(stream, offset)
    forwarded.publish({ shard: source.index, events: events.length, durationMs: performance.now() - startedAtMs })
  }

  /** Events as records, each with the place of the one before it; and the positions after them. */
  private place(positions: ReadonlyMap<string, number>, events: readonly LoggedEvent[]) {
    const { source, partitions } = this.options
    const ends = new Map<string, number>()
    const records: BrokerRecord[] = []
    for (const event of events) {
      const { topic, offset } = event
      const partition = partitionOf(event.envelope.key, partitions.get(topic) ?? 1)
      const stream = streamOf(topic, partition)
      const after = ends.get(stream) ?? positions.get(stream) ?? 0
      records.push(recordOf(event, { source: source.index, partition, after }))
      ends.set(stream, offset + 1)
      ends.set(topic, offset + 1)
    }
    return { records, ends }
  }

  private get scope() {
    return { group: FORWARDER, source: this.options.source.index }
  }

  private waitMs(): number {
    return jittered(this.reader.blind ? READ_POLL_MS_REMOTE : READ_POLL_MS_LOCAL)
  }
}
