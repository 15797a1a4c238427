import { delay } from '../core/index.ts'
import type { OpenCluster } from '../data/index.ts'
import type { Broker, BrokerReader, BrokerRecord } from './broker.ts'
import { type PlacedEvent, placedEvent } from './broker-record.ts'
import { readerRestarted, workFailed } from './channels.ts'
import { eventsError } from './errors.ts'
import {
  BROKER_RECORDS_MAX,
  BROKER_STALL_MS,
  BROKER_WATCH_MS,
  CONTROL_POLL_MS,
  DELIVERY_EVENTS_MAX,
  READER_STOP_MS,
} from './limits.ts'
import { lingerMsAfter } from './linger.ts'
import type { Group } from './plan.ts'
import { SourceDelivery } from './source-delivery.ts'
import { streamOf } from './stream.ts'
import type { RetryPolicy } from './target.ts'

export type BrokerWorkerOptions = {
  readonly cluster: OpenCluster
  readonly group: Group
  readonly broker: Broker
  readonly retry: RetryPolicy
  /** Events of a source shard are parked: whoever tries them again may begin. */
  readonly onParked: (source: number) => void
  /** Whether an operator has paused the group. */
  readonly isPaused: () => boolean
  /** How often operators have moved it on a source shard. */
  readonly movesOf: (source: number) => number
  /** Time without progress after which a reader counts as stalled; default BROKER_STALL_MS. */
  readonly stallMs?: number
}

/**
 * Delivers what a broker carries for one group, as far as this process is given its partitions. Which records are new,
 * repeated or missing is told by positions in the databases, never by the broker: see source-delivery.ts.
 *   reading:    the engine hands over batches; each is acknowledged once all its effects are committed
 *   failing:    a batch that rejects comes again after a pause, in smaller portions, in case its size is the reason
 *   paused:     more than BROKER_RECORDS_MAX are in work; resumed at half of it. By an operator: the next batch waits
 *               until the group is resumed
 *   restarting: lag, yet no batch for `stallMs`, or a gap: the reader is given up, and another one begins at what was
 *               acknowledged, which heals what the client alone had lost
 *   stopped:    by `stop()`; batches under way are finished and acknowledged
 */
export class BrokerWorker {
  private readonly options: BrokerWorkerOptions
  private readonly stopping = new AbortController()
  private readonly cutOff = new AbortController()
  private readonly sources: readonly SourceDelivery[]
  private reader: BrokerReader | undefined
  private watching: Promise<void> = Promise.resolve()
  private portionMax = DELIVERY_EVENTS_MAX
  private inWork = 0
  private activeAtMs = performance.now()
  private restartedAtMs = performance.now()

  constructor(options: BrokerWorkerOptions) {
    const { cluster, group, retry, onParked, movesOf } = options
    const call = { group: group.name, cluster, signal: this.cutOff.signal }
    const place = { cluster, group, retry, call, onParked, movesOf, stopping: this.stopping.signal }
    this.options = options
    this.sources = cluster.shards.map((source) => new SourceDelivery({ ...place, source }))
  }

  /** Resolves when the broker has accepted the subscription. */
  async start(): Promise<void> {
    if (this.stopping.signal.aborted) return
    this.reader = await this.subscribe()
    this.watching = this.watch()
  }

  /** Resolves when batches under way are done and acknowledged. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await this.watching
    await this.reader?.stop()
    this.leaveGaps([])
  }

  /** Aborts external calls that are still under way; their events stay undelivered. */
  abort(): void {
    this.cutOff.abort()
  }

  private subscribe(): Promise<BrokerReader> {
    const { broker, group } = this.options
    return broker.subscribe({
      group: group.name,
      topics: [...group.consumers.keys()],
      onBatch: (records) => this.take(records),
      onFailure: (error, retryInMs) => this.report(error, retryInMs),
    })
  }

  private async take(records: readonly BrokerRecord[]): Promise<void> {
    const startedAtMs = performance.now()
    this.activeAtMs = startedAtMs
    this.inWork += records.length
    if (this.inWork > BROKER_RECORDS_MAX) this.reader?.pause()
    try {
      await this.whileResumed()
      for (let start = 0; start < records.length; ) {
        const portion = records.slice(start, start + this.portionMax)
        await this.deliver(portion)
        start += portion.length
      }
      this.portionMax = DELIVERY_EVENTS_MAX
    } catch (error) {
      this.portionMax = Math.max(1, Math.min(records.length, this.portionMax) >> 1)
      throw error
    } finally {
      this.inWork -= records.length
      this.activeAtMs = performance.now()
      if (this.inWork <= BROKER_RECORDS_MAX / 2) this.reader?.resume()
    }
    // Before the next batch, so that under load batches are few and large.
    const lingerMs = startedAtMs + lingerMsAfter(records.length, DELIVERY_EVENTS_MAX) - performance.now()
    if (lingerMs > 0) await delay(lingerMs, this.stopping.signal)
  }

  private async whileResumed(): Promise<void> {
    while (this.options.isPaused()) {
      this.activeAtMs = performance.now()
      await delay(CONTROL_POLL_MS, this.stopping.signal)
      if (this.stopping.signal.aborted) throw eventsError('EVENTS_GROUP_PAUSED', `${this.options.group.name} is paused`)
    }
  }

  private async deliver(records: readonly BrokerRecord[]): Promise<void> {
    const bySource = new Map<number, PlacedEvent[]>()
    for (const record of records) {
      const placed = this.read(record)
      if (placed === undefined) continue
      const events = bySource.get(placed.source)
      if (events === undefined) bySource.set(placed.source, [placed])
      else events.push(placed)
    }
    const outcomes = await Promise.allSettled([...bySource].map(([source, placed]) => this.deliverFrom(source, placed)))
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
  }

  private deliverFrom(source: number, placed: readonly PlacedEvent[]): Promise<void> {
    const delivery = this.sources[source]
    if (delivery !== undefined) return delivery.deliver(placed)
    const { group } = this.options
    throw eventsError(
      'EVENTS_RECORD_UNREADABLE',
      `${group.name} was sent an event of shard ${source}, which is not here`,
    )
  }

  /** A record that no forwarder wrote has no place and can never be delivered: it is told of, and passed over. */
  private read(record: BrokerRecord): PlacedEvent | undefined {
    try {
      return placedEvent(record)
    } catch (error) {
      this.report(error, 0)
      return undefined
    }
  }

  /** Clients have been seen to fall silent while their heartbeats go on; nothing but their lag tells of it. */
  private async watch(): Promise<void> {
    const { stallMs = BROKER_STALL_MS } = this.options
    const pauseMs = Math.min(BROKER_WATCH_MS, stallMs / 2)
    while (!this.stopping.signal.aborted) {
      await delay(pauseMs, this.stopping.signal)
      if (this.stopping.signal.aborted) return
      const nowMs = performance.now()
      const idleMs = nowMs - this.activeAtMs
      try {
        this.leaveGaps(this.reader?.assigned?.())
        const hasGap = this.sources.some((source) => source.hasGap)
        if (hasGap && nowMs - this.restartedAtMs >= stallMs) await this.restart('gap')
        else if (this.inWork === 0 && idleMs >= stallMs && (await this.lags())) await this.restartStalled(idleMs)
      } catch (error) {
        this.report(error, pauseMs)
      }
    }
  }

  /** Of what it was not given, another process tells. */
  private leaveGaps(given: ReturnType<NonNullable<BrokerReader['assigned']>> | undefined): void {
    if (given === undefined) return
    const ours = new Set(given.map(({ topic, partition }) => streamOf(topic, partition)))
    for (const source of this.sources) source.leaveGaps((stream) => !ours.has(stream))
  }

  /** Whether there is something to read in what this reader was given. */
  private async lags(): Promise<boolean> {
    const { broker, group } = this.options
    const given = this.reader?.assigned?.()
    const lags = await broker.lag([{ name: group.name, topics: [...group.consumers.keys()] }])
    return lags.some(
      ({ topic, partition, messages }) =>
        messages > 0 &&
        (given === undefined || given.some((one) => one.topic === topic && one.partition === partition)),
    )
  }

  private restartStalled(idleMs: number): Promise<void> {
    const { name } = this.options.group
    const what = `${name} has lag and has read nothing for ${Math.round(idleMs / 1000)} s`
    this.report(eventsError('EVENTS_READER_STALLED', what), 0)
    return this.restart('stalled')
  }

  private async restart(reason: 'stalled' | 'gap'): Promise<void> {
    readerRestarted.publish({ group: this.options.group.name, reason })
    const stalled = this.reader
    // One that is stuck may never stop: what it still delivers is harmless.
    await Promise.race([stalled?.stop().catch((error) => this.report(error, 0)), delay(READER_STOP_MS)])
    this.reader = await this.subscribe()
    // From here on: one that takes long to begin is not to be given up for that.
    this.restartedAtMs = performance.now()
    this.activeAtMs = performance.now()
  }

  private report(error: unknown, retryInMs: number): void {
    workFailed.publish({ shard: -1, part: `broker:${this.options.group.name}`, error, retryInMs })
  }
}
