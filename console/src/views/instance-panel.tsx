import type { InstanceSample } from '../../../src/telemetry/index.ts'
import { bytes, duration, percent, type Quantity, shortInstance } from '../format.ts'
import { Figure } from '../parts/figure.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { type Column, SortableTable } from '../parts/sortable-table.tsx'
import { useLive } from '../store/live.ts'

type NumberOf = Exclude<keyof InstanceSample, 'instance' | 'services'>

const perSecond = (value: number): Quantity => {
  const { value: digits, unit } = bytes(value)
  return { value: digits, unit: `${unit}/s` }
}

const FIGURES: readonly (readonly [NumberOf, string, (value: number) => Quantity])[] = [
  ['cpuPercent', 'CPU', percent],
  ['memoryBytes', 'Memory', bytes],
  ['eventLoopUtilization', 'Event loop', (value) => percent(value * 100)],
  ['eventLoopDelayMs', 'Delay P99', duration],
  ['diskReadBytes', 'Disk read', perSecond],
  ['diskWriteBytes', 'Disk write', perSecond],
  ['networkInBytes', 'Network in', perSecond],
  ['networkOutBytes', 'Network out', perSecond],
]

const columns: readonly Column<InstanceSample>[] = [
  {
    id: 'instance',
    label: 'Instance',
    value: (row) => row.instance,
    cell: (row) => (
      <span title={`${row.instance}: ${row.services.join(', ')}`}>
        <b>{shortInstance(row.instance)}</b>{' '}
        <span className="quiet">{row.services.length === 1 ? row.services[0] : `${row.services.length} services`}</span>
      </span>
    ),
  },
  ...FIGURES.map(
    ([figure, label, quantity]): Column<InstanceSample> => ({
      id: figure,
      label,
      isNumber: true,
      value: (row) => row[figure],
      cell: (row) => <Figure quantity={quantity(row[figure])} {...toneOf(figure, row[figure])} />,
    }),
  ),
]

function toneOf(figure: NumberOf, value: number): { tone?: string } {
  const share = figure === 'cpuPercent' ? value / 100 : figure === 'eventLoopUtilization' ? value : 0
  return share > 0.8 ? { tone: 'orange' } : {}
}

/** The processes of the newest second. */
export function InstancePanel() {
  const { series } = useLive()
  const rows = series.latest?.instances ?? []
  return (
    <Panel title="Instances" area="span-12" note="processes of the application, now">
      {rows.length === 0 ? (
        <Empty headline="No instance has reported yet" />
      ) : (
        <SortableTable
          id="instances"
          caption="Processes with what they use"
          columns={columns}
          rows={rows}
          keyOf={(row) => row.instance}
          initial={{ column: 'cpuPercent', direction: 'descending' }}
        />
      )}
    </Panel>
  )
}
