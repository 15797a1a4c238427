import { delay, jittered } from '../core/index.ts'
import type { OpenCluster, Shard } from '../data/index.ts'
import type { CallOptions } from './calls.ts'
import { workFailed } from './channels.ts'
import { beginPositions } from './engines/postgres-positions.ts'
import type { GroupStates } from './group-states.ts'
import {
  DELIVERY_EVENTS_MAX,
  PARKED_KEYS_MAX,
  PARKED_REFRESH_MS,
  POSITION_FLUSH_MS,
  READ_POLL_MS_LOCAL,
  READ_POLL_MS_REMOTE,
  RETRY_POLL_MS,
} from './limits.ts'
import { lingerMsAfter } from './linger.ts'
import { LogReader } from './log-reader.ts'
import { backoffMs } from './pause.ts'
import { endsOf, type Group } from './plan.ts'
import { takeReplays } from './replay.ts'
import { assertNothingMissed, type Reading } from './retention.ts'
import type { LoggedEvent } from './segment.ts'
import { Gate } from './signals.ts'
import type { Tail } from './tail.ts'
import type { RetryPolicy } from './target.ts'
import { Targets } from './targets.ts'

export type WorkerOptions = {
  readonly cluster: OpenCluster
  readonly source: Shard
  readonly group: Group
  readonly tail: Tail
  readonly retry: RetryPolicy
  /** What operators want of the group; without, it is never paused, and replays are taken when it starts. */
  readonly states?: GroupStates
}

/** What a worker knows of its databases. Thrown away after each error, since what was committed is then unknown. */
type Knowledge = {
  readonly targets: Targets
  /** Next offset to read, by topic; at or ahead of the source's stored positions. */
  readonly next: Map<string, number>
}

/**
 * Delivers what one shard's log holds for one group, for as long as this process holds the group's lease there.
 *   loading:    positions and parked keys from every target
 *   delivering: read a batch, split it by target; other shards first, this shard and its position last
 *   retrying:   parked events that are due, whenever there are parked keys
 *   lingering:  under load, a pause between batches makes them large; the first after a pause goes at once
 *   waiting:    for a signal, a notice, or the poll
 *   paused:     by an operator, after the batch under way; waits until it is resumed
 *   disturbed:  an operator asked for a replay, or retention dropped what was not delivered yet → loading, which takes
 *               the one and fails of the other
 *   failed:     anything thrown by the infrastructure → after a pause, loading
 *   stopped:    by `stop()`; the batch under way is finished
 * Two workers of one group, one of them a zombie, cannot both commit: positions are advanced by compare-and-set.
 */
export class GroupWorker {
  private readonly options: WorkerOptions
  private readonly gate = new Gate()
  private readonly stopping = new AbortController()
  private readonly cutOff = new AbortController()
  private readonly running: Promise<void>
  private readonly call: CallOptions
  private readonly reader: LogReader
  private knowledge: Knowledge | undefined
  private failures = 0
  private batchMax = DELIVERY_EVENTS_MAX
  private batchSize = 0
  private lingerUntilMs = 0
  private retryAtMs = 0
  private retryFailures = 0
  private refreshAtMs = 0
  private flushAtMs = Number.POSITIVE_INFINITY

  constructor(options: WorkerOptions) {
    this.options = options
    const { source, tail, group } = options
    this.reader = new LogReader({
      source,
      tail,
      name: group.name,
      topics: [...group.consumers.keys()],
      onGap: () => assertNothingMissed(source, this.reading),
    })
    this.call = { group: options.group.name, cluster: options.cluster, signal: this.cutOff.signal }
    this.running = this.run()
  }

  /** The log may have grown. */
  signal(): void {
    this.gate.open()
  }

  /** Whether the group consumes any of these topics. */
  consumes(topics: ReadonlySet<string>): boolean {
    return this.reader.topics.some((topic) => topics.has(topic))
  }

  /** Resolves when the batch under way is done. */
  stop(): Promise<void> {
    this.stopping.abort()
    this.gate.open()
    return this.running
  }

  /** Aborts external calls that are still under way; their events stay undelivered. */
  abort(): void {
    this.cutOff.abort()
  }

  private get stopped(): boolean {
    return this.stopping.signal.aborted
  }

  private get reading(): Reading {
    const { name, consumers } = this.options.group
    return { group: name, topics: consumers, remedy: `events replay ${name} --from earliest` }
  }

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        if (this.options.states?.isDisturbed(this.options.group.name)) this.knowledge = undefined
        this.knowledge ??= await this.load()
        const busy = await this.round(this.knowledge)
        this.failures = 0
        this.batchMax = DELIVERY_EVENTS_MAX
        if (!busy && !(await this.gate.wait(this.waitMs(this.knowledge)))) this.reader.distrustTail()
      } catch (error) {
        this.knowledge = undefined
        // Batches shrink while they fail, in case their size is the reason: a statement that times out, for example.
        this.batchMax = Math.max(1, Math.min(this.batchSize, this.batchMax) >> 1)
        if (!this.stopped) await this.pauseAfter(error)
      }
    }
    this.reader.leave()
    if (this.knowledge !== undefined) await this.flush(this.knowledge).catch((error) => this.report(error, 0))
  }

  private async load(): Promise<Knowledge> {
    const { cluster, source, group } = this.options
    await takeReplays(cluster, source, group)
    const begins = [...group.consumers].map(([topic, consumer]) => [topic, consumer.from] as const)
    await beginPositions(source, { group: group.name, source: source.index }, new Map(begins))
    const targets = await Targets.load(this.options)
    await assertNothingMissed(source, this.reading)
    this.options.states?.settled(group.name)
    this.retryAtMs = 0
    this.refreshAtMs = performance.now() + PARKED_REFRESH_MS
    return { targets, next: new Map(this.reader.topics.map((topic) => [topic, targets.own.positions.get(topic) ?? 0])) }
  }

  /** One batch and what is due of the parked events. False when there was nothing to do. */
  private async round(knowledge: Knowledge): Promise<boolean> {
    const isPaused = this.options.states?.isPaused(this.options.group.name) ?? false
    const retried = !isPaused && (await this.retryParked(knowledge))
    const events = !isPaused && knowledge.targets.parkedCount < PARKED_KEYS_MAX ? await this.read(knowledge) : []
    if (events.length > 0) await this.deliver(knowledge, events)
    else if (performance.now() >= this.flushAtMs) await this.flush(knowledge)
    return retried || events.length > 0
  }

  /** Never rejects: what keeps parked events from being attempted must not keep new ones from being read. */
  private async retryParked(knowledge: Knowledge): Promise<boolean> {
    if (performance.now() < this.retryAtMs || knowledge.targets.parkedCount === 0) return false
    try {
      const count = await this.retryDue(knowledge)
      this.retryFailures = 0
      if (count === 0) this.retryAtMs = performance.now() + jittered(RETRY_POLL_MS)
      return count > 0
    } catch (error) {
      const retryInMs = backoffMs(this.retryFailures++)
      if (!this.stopped) this.report(error, retryInMs)
      this.retryAtMs = performance.now() + retryInMs
      // Some may have been committed: which keys are parked is looked up first.
      this.refreshAtMs = 0
      return false
    }
  }

  private async retryDue({ targets }: Knowledge): Promise<number> {
    const refresh = performance.now() >= this.refreshAtMs
    if (refresh) this.refreshAtMs = performance.now() + PARKED_REFRESH_MS
    let count = 0
    for (const target of targets.parking) {
      if (refresh) await target.refreshParked()
      count += await target.retryDue(this.call)
    }
    return count
  }

  private async read(knowledge: Knowledge): Promise<LoggedEvent[]> {
    const lingerMs = this.lingerUntilMs - performance.now()
    if (lingerMs > 0) await delay(lingerMs, this.stopping.signal)
    const max = this.batchMax
    const events = await this.reader.read(knowledge.next, max)
    this.batchSize = events.length
    this.lingerUntilMs = performance.now() + lingerMsAfter(events.length, max)
    return events
  }

  private async deliver(knowledge: Knowledge, events: readonly LoggedEvent[]): Promise<void> {
    const ends = new Map([...knowledge.next, ...endsOf(events)])
    const moved = await knowledge.targets.deliver(events, ends, this.call)
    if (!moved && this.flushAtMs === Number.POSITIVE_INFINITY) this.flushAtMs = performance.now() + POSITION_FLUSH_MS
    for (const [topic, offset] of ends) knowledge.next.set(topic, offset)
    if (performance.now() >= this.flushAtMs) await this.flush(knowledge)
  }

  private async flush({ targets, next }: Knowledge): Promise<void> {
    this.flushAtMs = Number.POSITIVE_INFINITY
    await targets.own.advance(next)
  }

  private waitMs(knowledge: Knowledge): number {
    const pollMs = this.reader.blind ? READ_POLL_MS_REMOTE : READ_POLL_MS_LOCAL
    const untilFlushMs = this.flushAtMs - performance.now()
    const retryMs = knowledge.targets.parkedCount > 0 ? RETRY_POLL_MS : Number.POSITIVE_INFINITY
    return Math.max(1, Math.min(jittered(pollMs), untilFlushMs, retryMs))
  }

  private async pauseAfter(error: unknown): Promise<void> {
    const retryInMs = backoffMs(this.failures++)
    this.report(error, retryInMs)
    await delay(retryInMs, this.stopping.signal)
  }

  private report(error: unknown, retryInMs: number): void {
    const { source, group } = this.options
    workFailed.publish({ shard: source.index, part: `group:${group.name}`, error, retryInMs })
  }
}
