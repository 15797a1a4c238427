import type { Consumer, Message, MessagesStream } from '@platformatic/kafka'
import { delay, systemClock, untilDeadline } from '../../core/index.ts'
import type { BrokerReader, BrokerRecord, BrokerSubscription } from '../broker.ts'
import { DELIVERY_EVENTS_MAX, KAFKA_BUFFER_RECORDS_MAX, KAFKA_WAIT_MS, READER_STOP_MS } from '../limits.ts'
import { backoffMs } from '../pause.ts'
import { Gate } from '../signals.ts'

export type TextConsumer = Consumer<string, string, string, string>
type TextMessage = Message<string, string, string, string>
type TextStream = MessagesStream<string, string, string, string>

export type KafkaReaderOptions = {
  readonly subscription: BrokerSubscription
  /** A consumer of the group, not connected yet. */
  readonly open: () => TextConsumer
  /** Whether it comes back under the same name: the group then waits for it, for the time of a session. */
  readonly isStatic?: boolean
  /** What a person reads about a failure of the client. */
  readonly explain: (error: unknown, doing: string) => Error
}

/** A record with the place that is committed once it is done. */
type Fetched = BrokerRecord & { readonly offset: bigint; readonly leaderEpoch: number }

/** A partition whose first records were not accepted: they come again before any later ones of it. */
type Held = { records: Fetched[]; failures: number; retryAtMs: number }

/**
 * Reads for one group, through one client after the other: the client gives its stream up at many an error, and this
 * starts again at what is committed.
 *   connecting: a new consumer joins the group; after a failure again, with growing pauses, for as long as it takes
 *   reading:    all that is there becomes one batch, is handed over, and its offsets are committed
 *   holding:    partitions whose records were not accepted are tried again, each alone; the others go on
 *   stopped:    by `stop()`: the batch under way is finished and committed, and the group is left
 * Where nothing is committed, or what is committed is no longer there, reading begins at the oldest record, never at
 * the latest: what that repeats or misses, the reader's positions tell.
 */
export class KafkaReader implements BrokerReader {
  private readonly options: KafkaReaderOptions
  private readonly gate = new Gate()
  private readonly stopping = new AbortController()
  private readonly running: Promise<void>
  private readonly joined = Promise.withResolvers<void>()
  private consumer: TextConsumer | undefined
  private stream: TextStream | undefined
  private buffer: Fetched[] = []
  private held = new Map<string, Held>()
  private isPaused = false

  constructor(options: KafkaReaderOptions) {
    this.options = options
    this.running = this.run()
  }

  /** Resolves once the group was joined, or the first attempt has failed: it goes on trying by itself. */
  started(): Promise<void> {
    return this.joined.promise
  }

  assigned(): { topic: string; partition: number }[] {
    return (this.consumer?.assignments ?? []).flatMap(({ topic, partitions }) =>
      partitions.map((partition) => ({ topic, partition })),
    )
  }

  pause(): void {
    this.isPaused = true
    this.stream?.pause()
  }

  resume(): void {
    this.isPaused = false
    this.ask()
    this.gate.open()
  }

  stop(): Promise<void> {
    this.stopping.abort()
    this.gate.open()
    return this.running
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted
  }

  private async run(): Promise<void> {
    let failures = 0
    while (!this.stopped) {
      try {
        await this.session(() => {
          failures = 0
        })
      } catch (error) {
        if (this.stopped) break
        const retryInMs = backoffMs(failures++)
        const { topics } = this.options.subscription
        this.options.subscription.onFailure(this.options.explain(error, `reading ${topics.join(', ')}`), retryInMs)
        this.joined.resolve()
        await delay(retryInMs, this.stopping.signal)
      }
    }
    this.joined.resolve()
  }

  /** One client's life. Ends when stopped, or rejects with why the client gave up. */
  private async session(onRead: () => void): Promise<void> {
    this.buffer = []
    this.held = new Map()
    const consumer = this.options.open()
    this.consumer = consumer
    const broken = Promise.withResolvers<never>()
    broken.promise.catch(() => undefined)
    // A member that could not rejoin its group says so here, also while it is being closed, and is then one no more.
    consumer.on('error', (error) => broken.reject(error))
    try {
      const stream = await consumer.consume({
        topics: [...this.options.subscription.topics],
        mode: 'committed',
        fallbackMode: 'earliest',
        autocommit: false,
        maxWaitTime: KAFKA_WAIT_MS,
      })
      this.stream = stream
      // Not `once`: one that ends may fail more than once, and nobody else listens.
      stream.on('error', (error) => broken.reject(error))
      stream.once('close', () => broken.reject(new Error('the client ended its stream')))
      stream.on('data', (message) => this.keep(message))
      this.joined.resolve()
      while (!this.stopped) {
        await Promise.race([this.gate.wait(this.untilRetryMs()), broken.promise])
        while (!this.stopped && (await this.deliver(consumer))) onRead()
      }
    } finally {
      this.stream = undefined
      this.consumer = undefined
      await this.leave(consumer)
    }
  }

  /** A client that cannot leave in order is left behind: the broker takes its partitions from it in time. */
  private async leave(consumer: TextConsumer): Promise<void> {
    // A static member keeps its partitions while it is away. The client leaves the group whenever it closes: it does so
    // under a name that nobody has, which the broker refuses and the client bears.
    if (this.options.isStatic) consumer.memberId = NOBODY
    const closed = consumer.close(true).catch((error: unknown) => {
      if (!this.stopped) this.options.subscription.onFailure(this.options.explain(error, 'leaving the group'), 0)
    })
    await untilDeadline(closed, { deadlineAtMs: systemClock.now() + READER_STOP_MS })
  }

  private keep(message: TextMessage): void {
    const { topic, partition, key = '', value = '', headers, offset, leaderEpoch } = message
    this.buffer.push({ topic, partition, key, value, headers: Object.fromEntries(headers), offset, leaderEpoch })
    if (this.waiting() >= KAFKA_BUFFER_RECORDS_MAX) this.stream?.pause()
    this.gate.open()
  }

  private waiting(): number {
    let count = this.buffer.length
    for (const { records } of this.held.values()) count += records.length
    return count
  }

  /** Asks for more, unless there is enough or more is not wanted. */
  private ask(): void {
    const hasRoom = this.waiting() < KAFKA_BUFFER_RECORDS_MAX / 2
    if (!this.isPaused && hasRoom && this.stream?.isPaused()) this.stream.resume()
  }

  /** One batch of what is new, and one attempt of what is held. False when there was nothing to do. */
  private async deliver(consumer: TextConsumer): Promise<boolean> {
    if (this.isPaused) return false
    const fresh = this.take()
    this.ask()
    if (fresh.length > 0 && !(await this.offer(consumer, fresh))) this.hold(fresh)
    const retried = await this.retry(consumer)
    return fresh.length > 0 || retried
  }

  /** Up to a batch of the buffer; what belongs to a held partition goes behind what is held of it. */
  private take(): Fetched[] {
    const fresh: Fetched[] = []
    for (const record of this.buffer.splice(0, DELIVERY_EVENTS_MAX)) {
      const held = this.held.get(partitionOf(record))
      if (held === undefined) fresh.push(record)
      else held.records.push(record)
    }
    return fresh
  }

  private hold(records: readonly Fetched[]): void {
    for (const record of records) {
      const name = partitionOf(record)
      const held = this.held.get(name) ?? { records: [], failures: 1, retryAtMs: performance.now() + backoffMs(0) }
      this.held.set(name, held)
      held.records.push(record)
    }
  }

  /** The partition that has waited longest, if any is due. */
  private async retry(consumer: TextConsumer): Promise<boolean> {
    const due = [...this.held].find(([, held]) => held.retryAtMs <= performance.now())
    if (due === undefined) return false
    const [name, held] = due
    const records = held.records.slice(0, DELIVERY_EVENTS_MAX)
    // Back of the queue: none that fails keeps the others from their turn.
    this.held.delete(name)
    if (await this.offer(consumer, records, held.failures)) held.records = held.records.slice(records.length)
    else held.retryAtMs = performance.now() + backoffMs(held.failures++)
    if (held.records.length > 0) this.held.set(name, held)
    this.ask()
    return true
  }

  /** Hands a batch over and commits it; false when it was not accepted. */
  private async offer(consumer: TextConsumer, records: readonly Fetched[], failures = 0): Promise<boolean> {
    const { onBatch, onFailure } = this.options.subscription
    try {
      await onBatch(records)
    } catch (error) {
      if (!this.stopped) onFailure(error, backoffMs(failures))
      return false
    }
    await this.commit(consumer, records)
    return true
  }

  /** What cannot be committed comes again, to whoever reads the partition then, and is known as a repetition. */
  private async commit(consumer: TextConsumer, records: readonly Fetched[]): Promise<void> {
    const ends = new Map<string, Fetched>()
    for (const record of records) ends.set(partitionOf(record), record)
    const offsets = [...ends.values()].map(({ topic, partition, offset, leaderEpoch }) => {
      return { topic, partition, offset: offset + 1n, leaderEpoch }
    })
    try {
      await consumer.commit({ offsets })
    } catch (error) {
      if (!this.stopped) this.options.subscription.onFailure(this.options.explain(error, 'committing offsets'), 0)
    }
  }

  private untilRetryMs(): number {
    const retryAtMs = Math.min(...[...this.held.values()].map((held) => held.retryAtMs))
    return Math.max(1, Math.min(KAFKA_WAIT_MS, retryAtMs - performance.now()))
  }
}

/** No member's id: those that a broker gives out are longer. */
const NOBODY = 'nobody'

function partitionOf({ topic, partition }: BrokerRecord): string {
  return `${topic}/${partition}`
}
