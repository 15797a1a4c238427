import { delay, jittered } from '../core/index.ts'
import type { Shard } from '../data/index.ts'
import { appended, workFailed } from './channels.ts'
import { drainOutbox, notifyReaders, OutboxFloor, readSettledHeads } from './engines/postgres-log.ts'
import {
  DRAIN_LINGER_MS_EACH,
  DRAIN_LINGER_MS_MAX,
  DRAIN_LINGER_MS_MIN,
  DRAIN_LINGER_MS_SATURATED,
  DRAIN_POLL_MS_MAX,
  DRAIN_POLL_MS_MIN,
  DRAIN_SEGMENTS_MAX,
  FLOOR_INTERVAL_MS,
  LEASE_MS,
  NOTIFY_INTERVAL_MS,
} from './limits.ts'
import { pace } from './pace.ts'
import { backoffMs } from './pause.ts'
import type { Segment } from './segment.ts'
import { Gate } from './signals.ts'
import { tracedIn } from './traced.ts'
import { writtenSegments } from './written.ts'

export type SequencerOptions = {
  readonly shard: Shard
  readonly owner: string
  readonly epoch: number
  /** Whether another process might want to hear of new events. */
  readonly others: () => boolean
  readonly onAppend: (segments: readonly Segment[]) => void
  /** A drain failed, and may have appended all the same: what the log holds is unknown until `onHeads`. */
  readonly onUncertain: () => void
  /** Next offset of every topic, after all that any drain has appended. */
  readonly onHeads: (heads: ReadonlyMap<string, number>) => void
}

/**
 * Moves one shard's outbox to its log for as long as this process holds the lease of one epoch.
 *   polling:  every 250 ms, and a signal from a writer ends the wait; from 5 ms on, doubling while nothing comes, after
 *             events of another process, which cannot signal, and while another has still to be told of some
 *   draining: at once with time to spare; else one drain every DRAIN_LINGER_MS_MIN at most, later after large ones (see
 *             pace.ts), and at once again while drains come back full
 *   failed:   the database is away; again after a pause, for as long as it takes, from the heads that the log has then
 *   stopped:  by `stop()`, when the lease has gone or the process ends; until it notices, an older epoch drains nothing
 */
export class Sequencer {
  private readonly options: SequencerOptions
  private readonly gate = new Gate()
  private readonly floor = new OutboxFloor()
  private readonly running: Promise<void>
  private readonly stopping = new AbortController()
  /** Not all of the last events were written by this process. */
  private wereForeign = false
  private unnoticed = false
  private uncertain = false
  private notifiedAtMs = 0
  private flooredAtMs = 0
  private movedAtMs = 0

  constructor(options: SequencerOptions) {
    this.options = options
    this.running = this.run()
  }

  /** A transaction with events has committed. */
  signal(): void {
    this.gate.open()
  }

  /** Resolves when the drain under way is done. */
  stop(): Promise<void> {
    this.stopping.abort()
    this.gate.open()
    return this.running
  }

  private async run(): Promise<void> {
    let pollMs = DRAIN_POLL_MS_MIN
    let failures = 0
    while (!this.stopping.signal.aborted) {
      try {
        const startedAtMs = performance.now()
        const count = await this.drain()
        failures = 0
        if (count === DRAIN_SEGMENTS_MAX) continue
        if (count > 0) {
          pollMs = this.looksAgain ? DRAIN_POLL_MS_MIN : DRAIN_POLL_MS_MAX
          const lingerMs = startedAtMs + lingerMsAfter(count) - performance.now()
          if (lingerMs > 0) await delay(lingerMs)
        } else {
          pollMs = Math.min(DRAIN_POLL_MS_MAX, pollMs * 2)
        }
        await this.gate.wait(jittered(pollMs))
      } catch (error) {
        this.uncertain = true
        this.options.onUncertain()
        const retryInMs = backoffMs(failures++)
        workFailed.publish({ shard: this.options.shard.index, part: 'sequencer', error, retryInMs })
        await delay(retryInMs, this.stopping.signal)
      }
    }
  }

  private get looksAgain(): boolean {
    return this.wereForeign || (this.unnoticed && this.options.others())
  }

  private async drain(): Promise<number> {
    const { shard, owner, epoch, onAppend } = this.options
    const startedAtMs = performance.now()
    if (this.uncertain) await this.settle()
    if (this.flooredAtMs < this.movedAtMs && startedAtMs - this.flooredAtMs > FLOOR_INTERVAL_MS) {
      this.flooredAtMs = startedAtMs
      await this.floor.look(shard)
    }
    const { ended, position: floor } = this.floor
    const notify = this.options.others() && startedAtMs - this.notifiedAtMs > NOTIFY_INTERVAL_MS
    const written = writtenSegments.of(shard.index)
    const segments = await drainOutbox(shard, {
      owner,
      epoch,
      floor,
      segmentsMax: DRAIN_SEGMENTS_MAX,
      leaseMs: LEASE_MS,
      notify,
      written,
    })
    writtenSegments.forget(
      shard.index,
      segments.map(({ id }) => id),
    )
    if (segments.length < DRAIN_SEGMENTS_MAX) this.floor.emptied(ended)
    if (segments.length === 0) {
      await this.noticeLate()
      return 0
    }
    this.movedAtMs = performance.now()
    this.wereForeign = segments.some(({ id }) => !written.has(id))
    this.unnoticed = !notify
    if (notify) this.notifiedAtMs = startedAtMs
    onAppend(segments)
    if (appended.hasSubscribers) {
      const events = segments.reduce((sum, segment) => sum + segment.events, 0)
      appended.publish({
        shard: shard.index,
        segments: segments.length,
        events,
        durationMs: performance.now() - startedAtMs,
        traced: segments.flatMap(tracedIn),
      })
    }
    return segments.length
  }

  /** After a drain whose answer may have got lost. What it appended, no notice may have told other processes of. */
  private async settle(): Promise<void> {
    this.options.onHeads(await readSettledHeads(this.options.shard))
    this.uncertain = false
    this.unnoticed = true
  }

  /** Sends the notice that the last drain of a burst left out. */
  private async noticeLate(): Promise<void> {
    if (!this.unnoticed) return
    this.unnoticed = false
    if (this.options.others()) await notifyReaders(this.options.shard)
  }
}

/** Pause between the beginning of a drain that moved `segments` and that of the next. */
function lingerMsAfter(segments: number): number {
  const lingerMs = Math.min(DRAIN_LINGER_MS_MAX, Math.max(DRAIN_LINGER_MS_MIN, segments * DRAIN_LINGER_MS_EACH))
  return Math.min(DRAIN_LINGER_MS_SATURATED, lingerMs * pace.factor())
}
