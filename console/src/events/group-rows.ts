import type { EventStates, GroupState, TopicState } from '../../../src/console/index.ts'
import { recentRate, type TimeRange } from '../store/figures.ts'
import { type SeriesStore, seriesName } from '../store/series.ts'
import { type Progress, progressOf } from './progress.ts'

/** A group's work on one topic: where it is, from the databases, and how fast it goes, from telemetry. */
export type GroupRow = {
  readonly group: string
  readonly state: GroupState['state']
  readonly topic: TopicState
  readonly writtenPerSecond: number
  readonly consumedPerSecond: number
  readonly progress: Progress
}

export function groupRows({ groups }: EventStates, series: SeriesStore, range: TimeRange): readonly GroupRow[] {
  return groups.flatMap(({ group, state, topics }) =>
    topics.map((topic): GroupRow => {
      const rateOf = (figure: string) => recentRate(series, lagName(topic.topic, group, figure), range)
      const rates = {
        writtenPerSecond: rateOf('writtenPerSecond'),
        consumedPerSecond: rateOf('consumedPerSecond'),
      }
      const progress = progressOf({ ...topic, ...rates, isPaused: state === 'paused' })
      return { group, state, topic, ...rates, progress }
    }),
  )
}

/** The column of a figure of a group's lag. */
export function lagName(topic: string, group: string, figure: string): string {
  return seriesName('lag', topic, group, figure)
}
