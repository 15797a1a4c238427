import { delay, jittered } from '../core/index.ts'
import type { OpenCluster, Shard } from '../data/index.ts'
import type { CallOptions } from './calls.ts'
import { workFailed } from './channels.ts'
import { readLog } from './engines/postgres-log.ts'
import { eventsError } from './errors.ts'
import type { GroupStates } from './group-states.ts'
import {
  DELIVERY_EVENTS_MAX,
  DELIVERY_LINGER_MS_MAX,
  DELIVERY_LINGER_MS_MIN,
  DELIVERY_LINGER_MS_SATURATED,
  PARKED_KEYS_MAX,
  PARKED_REFRESH_MS,
  POSITION_FLUSH_MS,
  READ_POLL_MS_LOCAL,
  READ_POLL_MS_REMOTE,
  RETRY_POLL_MS,
} from './limits.ts'
import { pace } from './pace.ts'
import { backoffMs } from './pause.ts'
import { endsOf, followOn, type Group, planTargets } from './plan.ts'
import { takeReplays } from './replay.ts'
import { assertNothingMissed } from './retention.ts'
import { decodeSegment, type LoggedEvent } from './segment.ts'
import { Gate } from './signals.ts'
import type { Tail } from './tail.ts'
import { type RetryPolicy, Target } from './target.ts'

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
  readonly targets: readonly Target[]
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
  private readonly topics: readonly string[]
  private knowledge: Knowledge | undefined
  private failures = 0
  private batchMax = DELIVERY_EVENTS_MAX
  private batchSize = 0
  private firstTopic = 0
  private distrustsTail = false
  private lingerUntilMs = 0
  private retryAtMs = 0
  private retryFailures = 0
  private refreshAtMs = 0
  private flushAtMs = Number.POSITIVE_INFINITY

  constructor(options: WorkerOptions) {
    this.options = options
    this.topics = [...options.group.consumers.keys()]
    this.call = { group: options.group.name, cluster: options.cluster, signal: this.cutOff.signal }
    options.tail.join(options.group.name, this.topics)
    this.running = this.run()
  }

  /** The log may have grown. */
  signal(): void {
    this.gate.open()
  }

  /** Whether the group consumes any of these topics. */
  consumes(topics: ReadonlySet<string>): boolean {
    return this.topics.some((topic) => topics.has(topic))
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

  private async run(): Promise<void> {
    while (!this.stopped) {
      try {
        if (this.options.states?.isDisturbed(this.options.group.name)) this.knowledge = undefined
        this.knowledge ??= await this.load()
        const busy = await this.round(this.knowledge)
        this.failures = 0
        this.batchMax = DELIVERY_EVENTS_MAX
        // Nothing was signalled for that long: ask the log itself, in case a drain was committed but its answer got
        // lost.
        if (!busy) this.distrustsTail = !(await this.gate.wait(this.waitMs(this.knowledge)))
      } catch (error) {
        this.knowledge = undefined
        // Batches shrink while they fail, in case their size is the reason: a statement that times out, for example.
        this.batchMax = Math.max(1, Math.min(this.batchSize, this.batchMax) >> 1)
        if (!this.stopped) await this.pauseAfter(error)
      }
    }
    this.options.tail.leave(this.options.group.name)
    if (this.knowledge !== undefined) await this.flush(this.knowledge).catch((error) => this.report(error, 0))
  }

  private async load(): Promise<Knowledge> {
    const { cluster, source, group, retry } = this.options
    await takeReplays(cluster, source, group)
    const targets = await Promise.all(
      cluster.shards.map((shard) => Target.load({ cluster, shard, group, source: source.index, retry })),
    )
    const own = targets[source.index]?.positions
    await assertNothingMissed(source, group)
    this.options.states?.settled(group.name)
    this.retryAtMs = 0
    this.refreshAtMs = performance.now() + PARKED_REFRESH_MS
    return { targets, next: new Map(this.topics.map((topic) => [topic, own?.get(topic) ?? 0])) }
  }

  /** One batch and what is due of the parked events. False when there was nothing to do. */
  private async round(knowledge: Knowledge): Promise<boolean> {
    const isPaused = this.options.states?.isPaused(this.options.group.name) ?? false
    const retried = !isPaused && (await this.retryParked(knowledge))
    const events = !isPaused && countParked(knowledge) < PARKED_KEYS_MAX ? await this.read(knowledge) : []
    if (events.length > 0) await this.deliver(knowledge, events)
    else if (performance.now() >= this.flushAtMs) await this.flush(knowledge)
    return retried || events.length > 0
  }

  /** Never rejects: what keeps parked events from being attempted must not keep new ones from being read. */
  private async retryParked(knowledge: Knowledge): Promise<boolean> {
    if (performance.now() < this.retryAtMs || countParked(knowledge) === 0) return false
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
    for (const target of targets) {
      if (target.parkedKeys.size === 0) continue
      if (refresh) await target.refreshParked()
      count += await target.retryDue(this.call)
    }
    return count
  }

  private async read(knowledge: Knowledge): Promise<LoggedEvent[]> {
    const lingerMs = this.lingerUntilMs - performance.now()
    if (lingerMs > 0) await delay(lingerMs, this.stopping.signal)
    const max = this.batchMax
    const events: LoggedEvent[] = []
    const unknown = new Map<string, number>()
    // Another topic is first each time, so that a busy one cannot starve the others.
    this.firstTopic = (this.firstTopic + 1) % this.topics.length
    for (const topic of [...this.topics.slice(this.firstTopic), ...this.topics.slice(0, this.firstTopic)]) {
      if (events.length >= max) break
      const offset = knowledge.next.get(topic) ?? 0
      const found = this.options.tail.read(this.options.group.name, topic, { offset, max: max - events.length })
      const asksLog = found === undefined || !followOn(found, offset) || (found.length === 0 && this.distrustsTail)
      if (asksLog) unknown.set(topic, offset)
      else for (const event of found) events.push(event)
    }
    if (unknown.size > 0 && events.length < max) await this.readFromLog(unknown, max - events.length, events)
    this.distrustsTail = false
    this.batchSize = events.length
    this.lingerUntilMs = performance.now() + lingerMsAfter(events.length, max)
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
        await assertNothingMissed(this.options.source, this.options.group)
        throw eventsError('EVENTS_LOG_UNREADABLE', `${segment.topic} has a gap: ${offset} to ${first - 1} are missing`)
      }
      const events = decodeSegment(segment).slice(offset - first, offset - first + end - into.length)
      for (const event of events) into.push(event)
      next.set(segment.topic, offset + events.length)
    }
  }

  /**
   * Other shards first: once their effects are committed, each with its inbox, this shard's position may pass the
   * events. A crash in between repeats the batch, and the inboxes skip what they have.
   */
  private async deliver(knowledge: Knowledge, events: readonly LoggedEvent[]): Promise<void> {
    const { cluster, source, group } = this.options
    const plan = planTargets(events, group, {
      count: cluster.shards.length,
      ofBucket: (bucket) => cluster.forBucket(bucket).index,
    })
    const remote = [...plan].filter(([target]) => target !== source.index)
    const outcomes = await Promise.allSettled(
      remote.map(async ([index, items]) => {
        const target = knowledge.targets[index]
        const fresh = target?.fresh(items) ?? []
        if (fresh.length > 0) await target?.deliver(fresh, endsOf(fresh.map((item) => item.event)), this.call)
      }),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    const own = knowledge.targets[source.index]
    const ends = new Map([...knowledge.next, ...endsOf(events)])
    const items = plan.get(source.index)
    if (items !== undefined) await own?.deliver(items, ends, this.call)
    else if (this.flushAtMs === Number.POSITIVE_INFINITY) this.flushAtMs = performance.now() + POSITION_FLUSH_MS
    for (const [topic, offset] of ends) knowledge.next.set(topic, offset)
    if (performance.now() >= this.flushAtMs) await this.flush(knowledge)
  }

  private async flush({ targets, next }: Knowledge): Promise<void> {
    this.flushAtMs = Number.POSITIVE_INFINITY
    await targets[this.options.source.index]?.advance(next)
  }

  private waitMs(knowledge: Knowledge): number {
    const pollMs = this.options.tail.seeing ? READ_POLL_MS_LOCAL : READ_POLL_MS_REMOTE
    const untilFlushMs = this.flushAtMs - performance.now()
    const retryMs = countParked(knowledge) > 0 ? RETRY_POLL_MS : Number.POSITIVE_INFINITY
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

/** Pause between the beginning of this delivery and that of the next. */
function lingerMsAfter(events: number, max: number): number {
  if (events === 0 || events === max) return 0
  const lingerMs = Math.min(DELIVERY_LINGER_MS_MAX, Math.max(DELIVERY_LINGER_MS_MIN, events))
  return Math.min(DELIVERY_LINGER_MS_SATURATED, lingerMs * pace.factor())
}

function countParked({ targets }: Knowledge): number {
  return targets.reduce((sum, target) => sum + target.parkedKeys.size, 0)
}
