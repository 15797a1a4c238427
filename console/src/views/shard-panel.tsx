import { count, duration, rate, text } from '../format.ts'
import { Figure, Meter } from '../parts/figure.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { type Column, SortableTable } from '../parts/sortable-table.tsx'
import { lastValue, recentRate } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import { seriesName } from '../store/series.ts'

type Row = {
  readonly shard: string
  readonly label: string
  readonly transactions: number
  readonly p99Ms: number | undefined
  readonly busy: number
  readonly most: number
  readonly waiting: number
}

const columns: readonly Column<Row>[] = [
  {
    id: 'shard',
    label: 'Shard',
    value: (row) => Number(row.shard),
    cell: (row) => (
      <>
        <b>{row.shard}</b> <span className="quiet">{row.label}</span>
      </>
    ),
  },
  {
    id: 'transactions',
    label: 'Transactions',
    isNumber: true,
    value: (row) => row.transactions,
    cell: (row) => <Figure quantity={rate(row.transactions)} />,
  },
  {
    id: 'p99',
    label: 'P99',
    isNumber: true,
    value: (row) => row.p99Ms,
    cell: (row) => <Figure quantity={duration(row.p99Ms)} />,
  },
  {
    id: 'pool',
    label: 'Connections in use',
    value: (row) => row.busy / row.most,
    cell: (row) => (
      <Meter share={row.most === 0 ? 0 : row.busy / row.most} label={`${text(count(row.busy))} of ${row.most}`} />
    ),
  },
  {
    id: 'waiting',
    label: 'Waiting',
    isNumber: true,
    value: (row) => row.waiting,
    cell: (row) => <Figure quantity={count(row.waiting)} tone={row.waiting > 0 ? 'orange' : 'quiet'} />,
  },
]

/** The databases with the load on each: one that does far more than the others has a hot key. */
export function ShardPanel() {
  const { series, topology, range } = useLive()
  const rows = series.subjects('shard').map(([shard = '']): Row => {
    const last = (figure: string) => lastValue(series, seriesName('shard', shard, figure), range)
    return {
      shard,
      label: topology?.shards.find((one) => String(one.index) === shard)?.label ?? '',
      transactions: recentRate(series, seriesName('shard', shard, 'transactionsPerSecond'), range),
      p99Ms: last('transactionP99Ms'),
      busy: last('connectionsBusy') ?? 0,
      most: last('connectionsMax') ?? 0,
      waiting: last('waiting') ?? 0,
    }
  })
  return (
    <Panel title="Shards" area="span-12" note="databases and the pools of connections to them">
      {rows.length === 0 ? (
        <Empty headline="No shard has reported yet" />
      ) : (
        <SortableTable
          id="shards"
          caption="Shards with their transactions and connections"
          columns={columns}
          rows={rows}
          keyOf={(row) => row.shard}
          initial={{ column: 'shard', direction: 'ascending' }}
        />
      )}
    </Panel>
  )
}
