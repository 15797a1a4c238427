import { Sparkline } from '../charts/sparkline.tsx'
import { count, duration, rate } from '../format.ts'
import { Figure } from '../parts/figure.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { type Column, SortableTable } from '../parts/sortable-table.tsx'
import { lastValue, recentRate, total } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import { seriesName } from '../store/series.ts'

type Row = {
  readonly journey: string
  readonly perSecond: number
  readonly ended: number
  readonly p50Ms: number | undefined
  readonly p95Ms: number | undefined
  readonly p99Ms: number | undefined
}

const columns: readonly Column<Row>[] = [
  { id: 'journey', label: 'Journey', value: (row) => row.journey, cell: (row) => row.journey },
  { id: 'trend', label: 'P95', cell: (row) => <Sparkline name={seriesName('journey', row.journey, 'p95Ms')} /> },
  ...(['perSecond', 'ended', 'p50Ms', 'p95Ms', 'p99Ms'] as const).map(
    (figure): Column<Row> => ({
      id: figure,
      label: { perSecond: 'Rate', ended: 'Ended', p50Ms: 'P50', p95Ms: 'P95', p99Ms: 'P99' }[figure],
      isNumber: true,
      value: (row) => row[figure],
      cell: (row) => <Figure quantity={quantityOf(figure, row[figure])} />,
    }),
  ),
]

function quantityOf(figure: Exclude<keyof Row, 'journey'>, value: number | undefined) {
  if (figure === 'perSecond') return rate(value)
  return figure === 'ended' ? count(value) : duration(value)
}

/** How long what users care about takes from its first event to its last, over every service in between. */
export function JourneyPanel() {
  const { series, range } = useLive()
  const rows = series.subjects('journey').map(([journey = '']): Row => {
    const column = (figure: string) => seriesName('journey', journey, figure)
    const percentile = (figure: string) => lastValue(series, column(figure), { ...range, withinMs: 60_000 })
    return {
      journey,
      perSecond: recentRate(series, column('perSecond'), range),
      ended: total(series, column('perSecond'), range),
      p50Ms: percentile('p50Ms'),
      p95Ms: percentile('p95Ms'),
      p99Ms: percentile('p99Ms'),
    }
  })
  return (
    <Panel title="Journeys" area="span-12" note="from a first event to a last, over every service between">
      {rows.length === 0 ? (
        <Empty headline="No journey has ended yet">The first order that is shipped appears here.</Empty>
      ) : (
        <SortableTable
          id="journeys"
          caption="Journeys with rate and latency"
          columns={columns}
          rows={rows}
          keyOf={(row) => row.journey}
          initial={{ column: 'perSecond', direction: 'descending' }}
        />
      )}
    </Panel>
  )
}
