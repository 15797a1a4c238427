import type { OpenCluster, Shard } from '../data/index.ts'
import type { CallOptions } from './calls.ts'
import type { Positions } from './engines/postgres-positions.ts'
import { endsOf, type Group, planTargets } from './plan.ts'
import type { LoggedEvent } from './segment.ts'
import { type RetryPolicy, Target } from './target.ts'

export type TargetsOptions = {
  readonly cluster: OpenCluster
  /** Whose log the events come from. */
  readonly source: Shard
  readonly group: Group
  readonly retry: RetryPolicy
}

/**
 * Every shard that effects of one group and one source shard may land on. What is known of their databases is thrown
 * away after each error, since what was committed is then unknown: load them again.
 */
export class Targets {
  /** The source shard as a target: its positions are the group's. */
  readonly own: Target
  private readonly all: readonly Target[]
  private readonly options: TargetsOptions

  static async load(options: TargetsOptions): Promise<Targets> {
    const { cluster, source, group, retry } = options
    const all = await Promise.all(
      cluster.shards.map((shard) => Target.load({ cluster, shard, group, source: source.index, retry })),
    )
    return new Targets(options, all)
  }

  private constructor(options: TargetsOptions, all: readonly Target[]) {
    const own = all[options.source.index]
    if (own === undefined) throw new RangeError(`shard ${options.source.index} is not of this cluster`)
    this.options = options
    this.all = all
    this.own = own
  }

  /** Keys with parked events; one that has some on two shards counts twice. */
  get parkedCount(): number {
    return this.all.reduce((sum, target) => sum + target.parkedKeys.size, 0)
  }

  /** Those with parked events. */
  get parking(): readonly Target[] {
    return this.all.filter((target) => target.parkedKeys.size > 0)
  }

  /** Looks which keys are parked: of all targets, or of those that have some, to see which are free again. */
  async refreshParked(which: 'all' | 'parking' = 'all'): Promise<void> {
    await Promise.all((which === 'all' ? this.all : this.parking).map((target) => target.refreshParked()))
  }

  /**
   * Other shards first: once their effects are committed, each with its inbox, the group's positions may pass the
   * events, up to `ends`. A crash in between repeats the batch, and the inboxes skip what they have. False when no
   * effect belongs to the source shard: its positions are then still to be advanced, which need not be at once.
   */
  async deliver(events: readonly LoggedEvent[], ends: Positions, call: CallOptions): Promise<boolean> {
    const { cluster, source, group } = this.options
    const plan = planTargets(events, group, {
      count: cluster.shards.length,
      ofBucket: (bucket) => cluster.forBucket(bucket).index,
    })
    const remote = [...plan].filter(([index]) => index !== source.index)
    const outcomes = await Promise.allSettled(
      remote.map(async ([index, items]) => {
        const target = this.all[index]
        const fresh = target?.fresh(items) ?? []
        if (fresh.length > 0) await target?.deliver(fresh, endsOf(fresh.map((item) => item.event)), call)
      }),
    )
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    const items = plan.get(source.index)
    if (items === undefined) return false
    await this.own.deliver(items, ends, call)
    return true
  }
}
