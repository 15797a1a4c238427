import { delay, jittered } from '../core/index.ts'
import type { OpenCluster, Shard } from '../data/index.ts'
import { leaseChanged, workFailed } from './channels.ts'
import { holdLeases, releaseLeases } from './engines/postgres-leases.ts'
import { LOG_CHANNEL, readHeads } from './engines/postgres-log.ts'
import { GroupStates } from './group-states.ts'
import { LEASE_MS, LEASE_RENEW_MS } from './limits.ts'
import type { Group } from './plan.ts'
import type { Segment } from './segment.ts'
import { Sequencer } from './sequencer.ts'
import { Tail } from './tail.ts'
import { TimerRelease } from './timer-release.ts'

/** What one lease of a shard allows: a group's delivery, or forwarding to a broker. */
export type ShardWorker = {
  /** The log may have grown, or there is something else to do. */
  signal(): void
  /** Whether it reads any of these topics from the log. */
  consumes(topics: ReadonlySet<string>): boolean
  /** Resolves when the batch under way is done. */
  stop(): Promise<void>
  /** Aborts external calls under way. */
  abort(): void
}

/** Work that needs a lease, and how to begin it. */
export type LeasedWork = {
  readonly lease: string
  readonly start: (source: Shard, tail: Tail, states: GroupStates) => ShardWorker
}

export type ShardEventsOptions = {
  readonly cluster: OpenCluster
  readonly shard: Shard
  readonly groups: readonly Group[]
  readonly works: readonly LeasedWork[]
  /** Another after each start of a process. */
  readonly owner: string
  /** Whether to compete for the sequencer's lease. */
  readonly sequence: boolean
}

/** `leaving` is there once the lease has gone, until the worker has finished. */
type HeldWork = { readonly worker: ShardWorker; readonly epoch: number; leaving?: Promise<void> }

type HeldSequencer = { readonly running: Sequencer; readonly timers: TimerRelease; readonly epoch: number }

const SEQUENCER = 'sequencer'

/** The lease of a group on a shard: to deliver its log, or with a broker to try parked events again. */
export function leaseOf(group: string): string {
  return `group:${group}`
}

/**
 * All that this process does for events on one shard. It competes for leases, at random moments, and works for as long
 * as it holds them; who comes first keeps a lease until it stops or dies: there is no rebalancing between processes. A
 * lease that could not be renewed for as long as it lasts is given up here as well.
 */
export class ShardEvents {
  private readonly options: ShardEventsOptions
  private readonly tail = new Tail()
  private readonly workers = new Map<string, HeldWork>()
  private readonly names: readonly string[]
  private readonly states: GroupStates
  private readonly stopping = new AbortController()
  private sequencer: HeldSequencer | undefined
  private unlisten: (() => Promise<void>) | undefined
  private others = false
  private renewedAtMs = 0
  private renewing: Promise<void> = Promise.resolve()

  constructor(options: ShardEventsOptions) {
    this.options = options
    const leases = options.works.map((work) => work.lease)
    this.names = options.sequence ? [SEQUENCER, ...leases] : leases
    const { shard, groups } = options
    this.states = new GroupStates({ shard, groups, onChange: (group) => this.signal(leaseOf(group)) })
  }

  /** Resolves after the first competition for leases. */
  async start(): Promise<void> {
    if (this.names.length === 0) return
    await this.states.start()
    await this.renew()
    this.renewing = this.keepRenewing()
  }

  /** A transaction of this process has written events on the shard. */
  outboxWritten(): void {
    this.sequencer?.running.signal()
  }

  /** There is something to do for whoever holds this lease, if it is this process. */
  signal(lease: string): void {
    this.workers.get(lease)?.worker.signal()
  }

  /** Whether an operator has paused the group here. */
  isPaused(group: string): boolean {
    return this.states.isPaused(group)
  }

  /** How often operators have moved the group here. */
  movesOf(group: string): number {
    return this.states.movesOf(group)
  }

  /** Finishes what is under way, then lets others take over at once. */
  async stop(): Promise<void> {
    this.stopping.abort()
    await Promise.all([this.renewing, this.states.stop()])
    await this.holdOnly(new Map())
    await Promise.all([...this.workers.values()].map((held) => held.leaving))
    await this.unlisten?.()
    if (this.names.length > 0) await releaseLeases(this.options.shard, this.options.owner)
  }

  /** What has not ended, for people: its groups, or else the shard alone. */
  get underWay(): readonly string[] {
    const { index } = this.options.shard
    if (this.workers.size === 0) return [`shard ${index}`]
    return [...this.workers.keys()].map((lease) => `${lease.replace(':', ' ')} on shard ${index}`)
  }

  /** Aborts external calls under way. */
  abort(): void {
    for (const { worker } of this.workers.values()) worker.abort()
  }

  private async keepRenewing(): Promise<void> {
    for (;;) {
      await delay(jittered(LEASE_RENEW_MS), this.stopping.signal)
      if (this.stopping.signal.aborted) return
      try {
        await this.renew()
      } catch (error) {
        workFailed.publish({ shard: this.options.shard.index, part: 'leases', error, retryInMs: LEASE_RENEW_MS })
        if (performance.now() - this.renewedAtMs > LEASE_MS) await this.holdOnly(new Map())
      }
    }
  }

  private async renew(): Promise<void> {
    const { shard, owner } = this.options
    const askedAtMs = performance.now()
    const held = await holdLeases(shard, owner, { names: this.names, leaseMs: LEASE_MS })
    this.renewedAtMs = askedAtMs
    this.others = held.some((lease) => lease.others)
    await this.holdOnly(new Map(held.map((lease) => [lease.name, lease.epoch])))
    await this.listenUnlessSequencing()
  }

  /** Starts what these leases allow and stops what they do not. */
  private async holdOnly(held: ReadonlyMap<string, number>): Promise<void> {
    for (const [name, work] of this.workers) {
      // Not awaited: a slow batch must not keep the other leases from being renewed. Its compare-and-set may still win.
      if (held.get(name) !== work.epoch) work.leaving ??= this.loseWork(name, work)
    }
    if (this.sequencer !== undefined && held.get(SEQUENCER) !== this.sequencer.epoch) {
      await this.loseSequencer(this.sequencer)
    }
    const epoch = held.get(SEQUENCER)
    if (epoch !== undefined && this.sequencer === undefined) await this.gainSequencer(epoch)
    for (const work of this.options.works) {
      const workEpoch = held.get(work.lease)
      if (workEpoch !== undefined && !this.workers.has(work.lease)) this.gainWork(work, workEpoch)
    }
  }

  private async gainSequencer(epoch: number): Promise<void> {
    const { shard, owner } = this.options
    // Nobody else appends any more: the lease was taken over after the last drain of its former holder.
    this.tail.prime(await readHeads(shard))
    const running = new Sequencer({
      shard,
      owner,
      epoch,
      others: () => this.others,
      onAppend: (segments) => this.onAppend(segments),
      onUncertain: () => this.tail.clear(),
      onHeads: (heads) => this.onHeads(heads),
    })
    const timers = new TimerRelease({ shard, owner, epoch, onReleased: () => running.signal() })
    this.sequencer = { running, timers, epoch }
    for (const { worker } of this.workers.values()) worker.signal()
    leaseChanged.publish({ shard: shard.index, name: SEQUENCER, held: true, epoch })
  }

  private async loseSequencer({ running, timers, epoch }: HeldSequencer): Promise<void> {
    this.sequencer = undefined
    await Promise.all([running.stop(), timers.stop()])
    this.tail.clear()
    leaseChanged.publish({ shard: this.options.shard.index, name: SEQUENCER, held: false, epoch })
  }

  private gainWork({ lease, start }: LeasedWork, epoch: number): void {
    const { shard } = this.options
    this.workers.set(lease, { worker: start(shard, this.tail, this.states), epoch })
    leaseChanged.publish({ shard: shard.index, name: lease, held: true, epoch })
  }

  private async loseWork(name: string, { worker, epoch }: HeldWork): Promise<void> {
    await worker.stop()
    this.workers.delete(name)
    leaseChanged.publish({ shard: this.options.shard.index, name, held: false, epoch })
  }

  private onAppend(segments: readonly Segment[]): void {
    const topics = this.tail.append(segments)
    for (const { worker } of this.workers.values()) if (worker.consumes(topics)) worker.signal()
  }

  /** The log may hold more than `onAppend` was told: workers find it by these heads. */
  private onHeads(heads: ReadonlyMap<string, number>): void {
    this.tail.prime(heads)
    for (const { worker } of this.workers.values()) worker.signal()
  }

  /** Notices of the process that sequences instead of this one. */
  private async listenUnlessSequencing(): Promise<void> {
    const { cluster, shard, works } = this.options
    if (this.sequencer !== undefined || works.length === 0) {
      const unlisten = this.unlisten
      this.unlisten = undefined
      await unlisten?.()
    } else {
      this.unlisten ??= await cluster.listen(shard.index, LOG_CHANNEL, () => {
        for (const { worker } of this.workers.values()) worker.signal()
      })
    }
  }
}
