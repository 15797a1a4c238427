import { Sparkline } from '../charts/sparkline.tsx'
import { count, seconds } from '../format.ts'
import { Figure } from '../parts/figure.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { type Column, SortableTable } from '../parts/sortable-table.tsx'
import { highest, lastValue } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import { seriesName } from '../store/series.ts'

type Row = {
  readonly topic: string
  readonly group: string
  readonly messages: number
  readonly seconds: number
  /** The most that waited in the time on screen. */
  readonly peak: number
}

const columns: readonly Column<Row>[] = [
  { id: 'topic', label: 'Topic', value: (row) => row.topic, cell: (row) => row.topic },
  { id: 'group', label: 'Group', value: (row) => row.group, cell: (row) => <span className="quiet">{row.group}</span> },
  {
    id: 'trend',
    label: 'Waiting',
    cell: (row) => <Sparkline name={seriesName('lag', row.topic, row.group, 'messages')} tone={toneOf(row)} />,
  },
  {
    id: 'messages',
    label: 'Messages',
    isNumber: true,
    value: (row) => row.messages,
    cell: (row) => <Figure quantity={count(row.messages)} tone={toneOf(row)} />,
  },
  {
    id: 'seconds',
    label: 'Oldest',
    isNumber: true,
    value: (row) => row.seconds,
    cell: (row) => <Figure quantity={seconds(row.seconds)} tone={toneOf(row)} />,
  },
  {
    id: 'peak',
    label: 'Peak',
    isNumber: true,
    value: (row) => row.peak,
    cell: (row) => <Figure quantity={count(row.peak)} tone="quiet" />,
  },
]

/** How far each consumer group is behind, in messages and in time. `rowsMax` shows those furthest behind only. */
export function LagPanel({ rowsMax }: { readonly rowsMax?: number }) {
  const { series, range } = useLive()
  const all = series.subjects('lag').map(([topic = '', group = '']): Row => {
    const figure = (name: string) => seriesName('lag', topic, group, name)
    return {
      topic,
      group,
      messages: lastValue(series, figure('messages'), range) ?? 0,
      seconds: lastValue(series, figure('seconds'), range) ?? 0,
      peak: highest(series, figure('messages'), range),
    }
  })
  const furthest = [...all].sort((one, other) => other.seconds - one.seconds || other.peak - one.peak)
  const rows = rowsMax === undefined ? all : furthest.slice(0, rowsMax)
  const hidden = all.length - rows.length
  return (
    <Panel
      title="Message Lag"
      area={rowsMax === undefined ? 'span-12' : 'span-6'}
      note={hidden > 0 ? `per topic and group, ${rows.length} of ${all.length}` : 'per topic and group'}
    >
      {rows.length === 0 ? (
        <Empty headline="No consumer group has reported yet">Services that consume events appear here.</Empty>
      ) : (
        <SortableTable
          id="lag"
          caption="Events that wait, per topic and consumer group"
          columns={columns}
          rows={rows}
          keyOf={(row) => `${row.topic} ${row.group}`}
          initial={{ column: 'seconds', direction: 'descending' }}
        />
      )}
    </Panel>
  )
}

/** Consumers work in steps of a few tens of milliseconds: what waits for seconds is behind. */
function toneOf({ seconds: age }: Row): string {
  if (age > 30) return 'red'
  return age > 5 ? 'orange' : 'muted'
}
