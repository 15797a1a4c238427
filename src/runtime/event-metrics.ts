import { groupPaused, type Lag, periodsChanged, replayed, timersReleased } from '../events/index.ts'
import type { Metrics } from '../telemetry/index.ts'

/** Shows what groups have missed, as `lag` tells it. */
export function showMissed(metrics: Metrics, lags: readonly Lag[]): void {
  metrics.eventsMissed.clear()
  for (const { topic, group, missed } of lags) if (missed > 0) metrics.eventsMissed.series(topic, group).add(missed)
}

/** Counts what becomes of the event log besides its events being delivered. Returns how to end that. */
export function recordEventLog(metrics: Metrics): readonly (() => void)[] {
  /** Shards of this process on which a group is paused. */
  const paused = new Map<string, Set<number>>()
  return [
    timersReleased.subscribe(({ shard, events, lateMs }) => {
      metrics.timersReleased.series(shard).add(events)
      metrics.timerLateness.series(shard).record(lateMs)
    }),
    periodsChanged.subscribe(({ shard, dropped }) => metrics.periodsDropped.series(shard).add(dropped)),
    replayed.subscribe(({ group, events, skipped }) => {
      metrics.eventsReplayed.series(group, 'run').add(events - skipped)
      metrics.eventsReplayed.series(group, 'skipped').add(skipped)
    }),
    groupPaused.subscribe(({ group, shard, paused: isPaused }) => {
      const shards = paused.get(group) ?? new Set()
      paused.set(group, shards)
      if (isPaused) shards.add(shard)
      else shards.delete(shard)
      metrics.groupPaused.series(group).set(Number(shards.size > 0))
    }),
  ]
}
