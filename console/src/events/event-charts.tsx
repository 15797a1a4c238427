import type { Line } from '../charts/plot-options.ts'
import { TimeChart } from '../charts/time-chart.tsx'
import { count, rate, text } from '../format.ts'
import { Panel } from '../parts/panel.tsx'
import { highest, type TimeRange } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import type { SeriesStore } from '../store/series.ts'
import { type GroupRow, lagName } from './group-rows.ts'

/** As many as can be told apart. */
const LINES_MAX = 6

/** What waited over time, and how fast it went: of the group that is open, or of those that were furthest behind. */
export function EventCharts({ rows, group }: { readonly rows: readonly GroupRow[]; readonly group: string }) {
  const { series, range } = useLive()
  const isOne = rows.some((row) => row.group === group)
  const of = isOne ? rows.filter((row) => row.group === group) : rows
  const shown = furthest(of, series, range)
  const note = isOne
    ? group
    : shown.length < rows.length
      ? `the ${shown.length} furthest behind`
      : 'per topic and group'
  return (
    <>
      <Panel title="Events that wait" area="span-6" note={note}>
        <TimeChart
          label={`Events that wait: ${note}`}
          lines={shown.map((row, index) => lineOf(row, 'messages', { index, isOne }))}
          format={(value) => text(count(Math.round(value)))}
          height={150}
          topMin={10}
          empty="Nothing was measured in this time."
        />
      </Panel>
      <Panel title="Events consumed" area="span-6" note={note}>
        <TimeChart
          label={`Events consumed a second: ${note}`}
          lines={shown.map((row, index) => lineOf(row, 'consumedPerSecond', { index, isOne }))}
          format={(value) => text(rate(value))}
          height={150}
          empty="Nothing was measured in this time."
        />
      </Panel>
    </>
  )
}

function furthest(rows: readonly GroupRow[], series: SeriesStore, range: TimeRange): readonly GroupRow[] {
  const peaks = new Map(
    rows.map((row) => [row, highest(series, lagName(row.topic.topic, row.group, 'messages'), range)]),
  )
  return rows
    .toSorted((one, other) => (peaks.get(other) ?? 0) - (peaks.get(one) ?? 0))
    .slice(0, LINES_MAX)
    .toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
}

type LineOptions = { readonly index: number; readonly isOne: boolean }

function lineOf(row: GroupRow, figure: string, { index, isOne }: LineOptions): Line {
  const { topic } = row.topic
  return {
    name: lagName(topic, row.group, figure),
    label: isOne ? topic : nameOf(row),
    color: `line-${index + 1}`,
    isFilled: isOne && index === 0,
  }
}

function nameOf({ group, topic }: GroupRow): string {
  return `${group.replace(/-service$/, '')} ${topic.topic}`
}
