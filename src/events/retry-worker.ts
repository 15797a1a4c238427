import { delay, jittered } from '../core/index.ts'
import { workFailed } from './channels.ts'
import type { GroupStates } from './group-states.ts'
import { BROKER_PARKED_REFRESH_MS, PARKED_KEYS_MAX, RETRY_POLL_MS } from './limits.ts'
import { LogReplay } from './log-replay.ts'
import { backoffMs } from './pause.ts'
import { takeReplays } from './replay.ts'
import { Gate } from './signals.ts'
import { Targets, type TargetsOptions } from './targets.ts'

export type RetryWorkerOptions = TargetsOptions & {
  /** Of every topic that the broker carries. */
  readonly partitions: ReadonlyMap<string, number>
  /** Whether the broker is known to have as many. */
  readonly isLinked: () => boolean
  /** What operators want of the group. */
  readonly states: GroupStates
}

/** What is known of the databases. Thrown away after each error, since what was committed is then unknown. */
type Knowledge = { readonly targets: Targets; readonly replay: LogReplay }

/**
 * What is left to do from the databases, for one group and source shard, where a broker delivers the events: parked
 * ones are tried again, and replays are taken and served from the log. Which process reads a partition changes, whereas
 * one process at a time holds the lease for this.
 */
export class RetryWorker {
  private readonly options: RetryWorkerOptions
  private readonly gate = new Gate()
  private readonly stopping = new AbortController()
  private readonly cutOff = new AbortController()
  private readonly running: Promise<void>
  private knowledge: Knowledge | undefined
  private failures = 0
  private refreshAtMs = 0

  constructor(options: RetryWorkerOptions) {
    this.options = options
    this.running = this.run()
  }

  /** This process has parked events. */
  signal(): void {
    this.refreshAtMs = 0
    this.gate.open()
  }

  /** It does not read the log. */
  consumes(): boolean {
    return false
  }

  stop(): Promise<void> {
    this.stopping.abort()
    this.gate.open()
    return this.running
  }

  /** Aborts external calls that are still under way; their events stay parked. */
  abort(): void {
    this.cutOff.abort()
  }

  private async run(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      try {
        if (this.options.states.isReplayAsked(this.options.group.name)) this.knowledge = undefined
        this.knowledge ??= await this.load()
        const { busy, parked } = await this.round(this.knowledge)
        this.failures = 0
        if (!busy) await this.gate.wait(jittered(parked ? RETRY_POLL_MS : BROKER_PARKED_REFRESH_MS))
      } catch (error) {
        this.knowledge = undefined
        if (!this.stopping.signal.aborted) await this.pauseAfter(error)
      }
    }
  }

  private async load(): Promise<Knowledge> {
    const { cluster, source, group, states } = this.options
    await takeReplays(cluster, source, group)
    states.replaysTaken(group.name)
    this.refreshAtMs = performance.now() + BROKER_PARKED_REFRESH_MS
    const targets = await Targets.load(this.options)
    return { targets, replay: new LogReplay(this.options, targets) }
  }

  private async round({ targets, replay }: Knowledge): Promise<{ busy: boolean; parked: boolean }> {
    const { group, cluster, states, isLinked } = this.options
    const call = { group: group.name, cluster, signal: this.cutOff.signal }
    if (performance.now() >= this.refreshAtMs) {
      this.refreshAtMs = performance.now() + BROKER_PARKED_REFRESH_MS
      await targets.refreshParked()
    }
    if (states.isPaused(group.name)) return { busy: false, parked: false }
    let tried = 0
    const lot = targets.parking
    for (const target of lot) tried += await target.retryDue(call)
    const replayed = isLinked() && targets.parkedCount < PARKED_KEYS_MAX && (await replay.deliver(call))
    return { busy: tried > 0 || replayed, parked: lot.length > 0 }
  }

  private async pauseAfter(error: unknown): Promise<void> {
    const { source, group } = this.options
    const retryInMs = backoffMs(this.failures++)
    workFailed.publish({ shard: source.index, part: `retries:${group.name}`, error, retryInMs })
    await delay(retryInMs, this.stopping.signal)
  }
}
