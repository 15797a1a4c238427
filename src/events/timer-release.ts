import { delay } from '../core/index.ts'
import type { Shard } from '../data/index.ts'
import { timersReleased, workFailed } from './channels.ts'
import { nextTimerInMs, releaseTimers } from './engines/postgres-timers.ts'
import { LEASE_MS, TIMER_POLL_MS_MAX, TIMER_POLL_MS_MIN, TIMERS_RELEASED_MAX } from './limits.ts'
import { backoffMs } from './pause.ts'

export type TimerReleaseOptions = {
  readonly shard: Shard
  readonly owner: string
  readonly epoch: number
  /** Timers have become events in the outbox. */
  readonly onReleased: () => void
}

/**
 * Moves one shard's timers to its outbox when they are due, for as long as this process holds the sequencer's lease of
 * one epoch. Only the database's clock counts: this process asks it how long to wait, and whether it was long enough.
 *   waiting:   until the next is due, at most TIMER_POLL_MS_MAX, since one that is due sooner may be set meanwhile
 *   releasing: what is due; at once again while it comes back full
 *   failed:    the database is away; again after a pause
 *   stopped:   by `stop()`; until it notices that the lease has gone, an older epoch releases nothing
 */
export class TimerRelease {
  private readonly options: TimerReleaseOptions
  private readonly running: Promise<void>
  private readonly stopping = new AbortController()

  constructor(options: TimerReleaseOptions) {
    this.options = options
    this.running = this.run()
  }

  /** Resolves when the release under way is done. */
  stop(): Promise<void> {
    this.stopping.abort()
    return this.running
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping
    let failures = 0
    while (!signal.aborted) {
      try {
        const pauseMs = await this.round()
        failures = 0
        await delay(pauseMs, signal)
      } catch (error) {
        const retryInMs = backoffMs(failures++)
        workFailed.publish({ shard: this.options.shard.index, part: 'timers', error, retryInMs })
        await delay(retryInMs, signal)
      }
    }
  }

  /** Releases what is due; returns how long to wait. */
  private async round(): Promise<number> {
    const { shard, owner, epoch, onReleased } = this.options
    const inMs = await nextTimerInMs(shard)
    if (inMs === undefined) return TIMER_POLL_MS_MAX
    if (inMs > 0) return Math.min(TIMER_POLL_MS_MAX, Math.max(TIMER_POLL_MS_MIN, inMs))
    const release = { owner, epoch, timersMax: TIMERS_RELEASED_MAX, leaseMs: LEASE_MS }
    const { events, lateMs } = await releaseTimers(shard, release)
    if (events > 0) {
      onReleased()
      timersReleased.publish({ shard: shard.index, events, lateMs })
    }
    return events === TIMERS_RELEASED_MAX ? 0 : TIMER_POLL_MS_MIN
  }
}
