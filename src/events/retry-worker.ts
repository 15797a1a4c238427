import { delay, jittered } from '../core/index.ts'
import { workFailed } from './channels.ts'
import type { GroupStates } from './group-states.ts'
import { BROKER_PARKED_REFRESH_MS, RETRY_POLL_MS } from './limits.ts'
import { backoffMs } from './pause.ts'
import { Gate } from './signals.ts'
import { Targets, type TargetsOptions } from './targets.ts'

export type RetryWorkerOptions = TargetsOptions & {
  /** What operators want of the group. */
  readonly states: GroupStates
}

/**
 * Tries parked events of one group and source shard again, where a broker delivers the others: which process reads a
 * partition changes, whereas parked events are in the databases, and one process at a time holds the lease to try them.
 */
export class RetryWorker {
  private readonly options: RetryWorkerOptions
  private readonly gate = new Gate()
  private readonly stopping = new AbortController()
  private readonly cutOff = new AbortController()
  private readonly running: Promise<void>
  private targets: Targets | undefined
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
        this.targets ??= await this.load()
        const { tried, parked } = await this.round(this.targets)
        this.failures = 0
        if (tried === 0) await this.gate.wait(jittered(parked ? RETRY_POLL_MS : BROKER_PARKED_REFRESH_MS))
      } catch (error) {
        this.targets = undefined
        if (!this.stopping.signal.aborted) await this.pauseAfter(error)
      }
    }
  }

  private load(): Promise<Targets> {
    this.refreshAtMs = performance.now() + BROKER_PARKED_REFRESH_MS
    return Targets.load(this.options)
  }

  private async round(targets: Targets): Promise<{ tried: number; parked: boolean }> {
    const { group, cluster } = this.options
    const call = { group: group.name, cluster, signal: this.cutOff.signal }
    if (performance.now() >= this.refreshAtMs) {
      this.refreshAtMs = performance.now() + BROKER_PARKED_REFRESH_MS
      await targets.refreshParked()
    }
    if (this.options.states.isPaused(group.name)) return { tried: 0, parked: false }
    let tried = 0
    const lot = targets.parking
    for (const target of lot) tried += await target.retryDue(call)
    return { tried, parked: lot.length > 0 }
  }

  private async pauseAfter(error: unknown): Promise<void> {
    const { source, group } = this.options
    const retryInMs = backoffMs(this.failures++)
    workFailed.publish({ shard: source.index, part: `retries:${group.name}`, error, retryInMs })
    await delay(retryInMs, this.stopping.signal)
  }
}
