import type { OpenCluster, Shard } from '../data/index.ts'
import type { PlacedEvent } from './broker-record.ts'
import type { CallOptions } from './calls.ts'
import { eventsError } from './errors.ts'
import { BROKER_PARKED_REFRESH_MS, PARKED_KEYS_MAX } from './limits.ts'
import { endsOf, type Group, planTargets } from './plan.ts'
import type { LoggedEvent } from './segment.ts'
import { type RetryPolicy, Target } from './target.ts'

export type SourceDeliveryOptions = {
  readonly cluster: OpenCluster
  /** Whose log the events come from. */
  readonly source: Shard
  readonly group: Group
  readonly retry: RetryPolicy
  readonly call: CallOptions
  /** Events of this source are parked here: there is something to try again. */
  readonly onParked: (source: number) => void
}

/** What is known of the databases. Thrown away after each error, since what was committed is then unknown. */
type Knowledge = { readonly targets: readonly Target[]; refreshAtMs: number }

/**
 * Brings events that a broker carried, of one group and one source shard, to their targets. The position of a stream in
 * the source shard is the group's: a record below it was delivered before, and one whose predecessor lies above it
 * follows a gap. The same position in another shard is the inbox of what landed there. Both move by compare-and-set in
 * the transaction of the effects, so that it does not matter who else delivers the same records at the same time.
 */
export class SourceDelivery {
  private readonly options: SourceDeliveryOptions
  private knowledge: Knowledge | undefined

  constructor(options: SourceDeliveryOptions) {
    this.options = options
  }

  /**
   * Delivers what is new of these events, which are in order within each stream. Throws EVENTS_OFFSET_EXPIRED once all
   * that does not follow a gap is delivered.
   */
  async deliver(placed: readonly PlacedEvent[]): Promise<void> {
    const knowledge = this.knowledge ?? (await this.load())
    this.knowledge = knowledge
    try {
      await this.refresh(knowledge)
      const { events, gap } = this.unseen(knowledge, placed)
      if (events.length > 0) await this.toTargets(knowledge, events)
      if (gap !== undefined) throw gap
    } catch (error) {
      this.knowledge = undefined
      throw error
    }
    if (countParked(knowledge) > 0) this.options.onParked(this.options.source.index)
  }

  private async load(): Promise<Knowledge> {
    const { cluster, source, group, retry } = this.options
    const targets = await Promise.all(
      cluster.shards.map((shard) => Target.load({ cluster, shard, group, source: source.index, retry })),
    )
    return { targets, refreshAtMs: performance.now() + BROKER_PARKED_REFRESH_MS }
  }

  /** Parked events are tried again elsewhere: which keys are free again is looked up. */
  private async refresh(knowledge: Knowledge): Promise<void> {
    const parkedKeys = countParked(knowledge)
    if (parkedKeys === 0 || performance.now() < knowledge.refreshAtMs) return
    knowledge.refreshAtMs = performance.now() + BROKER_PARKED_REFRESH_MS
    await Promise.all(knowledge.targets.map((target) => target.parkedKeys.size > 0 && target.refreshParked()))
    if (countParked(knowledge) < PARKED_KEYS_MAX) return
    const { group, source } = this.options
    throw eventsError(
      'EVENTS_PARKED_TOO_MANY',
      `${parkedKeys} keys of ${group.name} from shard ${source.index} are parked: nothing new is delivered`,
    )
  }

  /** What was not delivered before, up to the first gap of each stream. */
  private unseen(knowledge: Knowledge, placed: readonly PlacedEvent[]) {
    const own = knowledge.targets[this.options.source.index]
    const next = new Map<string, number>()
    const events: LoggedEvent[] = []
    let gap: Error | undefined
    const broken = new Set<string>()
    for (const { after, event } of placed) {
      const { topic, stream, offset } = event
      if (broken.has(stream)) continue
      const reached = next.get(stream) ?? own?.reached(stream, topic) ?? 0
      if (offset < reached) continue
      // A stream that the group has never read begins with the oldest record that the broker has kept.
      if (after > reached && reached > 0) {
        broken.add(stream)
        gap ??= this.gapIn(event, reached, after)
        continue
      }
      events.push(event)
      next.set(stream, offset + 1)
    }
    return { events, gap }
  }

  private gapIn({ stream }: LoggedEvent, reached: number, after: number): Error {
    const { group, source } = this.options
    return eventsError(
      'EVENTS_OFFSET_EXPIRED',
      `${group.name} has read ${stream} of shard ${source.index} up to ${reached}, and the broker goes on at ${after}`,
      { details: { group: group.name, source: source.index, stream, reached, after } },
    )
  }

  /**
   * Other shards first: once their effects are committed, each with its inbox, the group's position may pass the
   * events. A crash in between repeats the batch, and the inboxes skip what they have.
   */
  private async toTargets({ targets }: Knowledge, events: readonly LoggedEvent[]): Promise<void> {
    const { cluster, source, group, call } = this.options
    const plan = planTargets(events, group, {
      count: cluster.shards.length,
      ofBucket: (bucket) => cluster.forBucket(bucket).index,
    })
    const remote = [...plan].filter(([index]) => index !== source.index)
    const outcomes = await Promise.allSettled(
      remote.map(async ([index, items]) => {
        const target = targets[index]
        const fresh = target?.fresh(items) ?? []
        if (fresh.length > 0) await target?.deliver(fresh, endsOf(fresh.map((item) => item.event)), call)
      }),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    const own = targets[source.index]
    const ends = endsOf(events)
    const items = plan.get(source.index)
    if (items !== undefined) return own?.deliver(items, ends, call)
    await own?.create([...ends.keys()])
    await own?.advance(ends)
  }
}

function countParked({ targets }: Knowledge): number {
  return targets.reduce((sum, target) => sum + target.parkedKeys.size, 0)
}
