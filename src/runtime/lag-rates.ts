import type { Lag, PartitionLag } from '../events/index.ts'
import type { LagSample } from '../telemetry/index.ts'

/** A group's progress on a topic, over all shards. */
type Progress = { messages: number; seconds: number; committed: number; end: number }

/** Of the log, with its offsets, or of a broker, which tells only how many messages wait. */
export type Behind = Pick<PartitionLag, 'group' | 'topic' | 'messages' | 'oldestAgeSeconds'> &
  Partial<Pick<Lag, 'committed' | 'end'>>

type Look = { readonly atMs: number; readonly byName: ReadonlyMap<string, Progress> }

/**
 * Turns offsets into rates: what was written and consumed between two looks at the lag. That needs no process that
 * counts, so it is right whichever processes write and consume, and when one of them is killed.
 */
export class LagRates {
  #before: Look | undefined

  /** How far each group is behind on each topic; with rates since the look before, but for what a broker carries. */
  samplesOf(lags: readonly Behind[], atMs: number): readonly LagSample[] {
    const byName = new Map<string, Progress>()
    const samples = [...Map.groupBy(lags, ({ topic, group }) => `${topic} ${group}`)].map(([name, shards]) => {
      const { topic = '', group = '' } = shards[0] ?? {}
      const progress = progressOf(shards)
      byName.set(name, progress)
      const { messages, seconds } = progress
      return { topic, group, messages, seconds, ...this.#ratesOf(name, progress, atMs) }
    })
    this.#before = { atMs, byName }
    return samples
  }

  /** A group that goes back for a replay consumes nothing by that. */
  #ratesOf(name: string, { committed, end }: Progress, atMs: number) {
    const before = this.#before?.byName.get(name)
    const seconds = (atMs - (this.#before?.atMs ?? atMs)) / 1000
    if (before === undefined || seconds <= 0) return { writtenPerSecond: 0, consumedPerSecond: 0 }
    return {
      writtenPerSecond: Math.max(0, end - before.end) / seconds,
      consumedPerSecond: Math.max(0, committed - before.committed) / seconds,
    }
  }
}

function progressOf(shards: readonly Behind[]): Progress {
  const progress: Progress = { messages: 0, seconds: 0, committed: 0, end: 0 }
  for (const { messages, oldestAgeSeconds, committed = 0, end = 0 } of shards) {
    progress.messages += messages
    progress.seconds = Math.max(progress.seconds, oldestAgeSeconds)
    progress.committed += committed
    progress.end += end
  }
  return progress
}
