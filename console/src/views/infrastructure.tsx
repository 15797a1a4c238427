import { lineColor } from '../charts/colors.ts'
import type { Line } from '../charts/plot-options.ts'
import { TimeChart } from '../charts/time-chart.tsx'
import { count, duration, rate, seconds, text } from '../format.ts'
import { Panel } from '../parts/panel.tsx'
import { highest } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import { seriesName } from '../store/series.ts'
import { CpuPanel } from './cpu-panel.tsx'
import { InstancePanel } from './instance-panel.tsx'
import { LagPanel } from './lag-panel.tsx'
import { ShardPanel } from './shard-panel.tsx'

/** What the services stand on: databases and their pools, processes, queues. */
export function InfrastructureView() {
  const { series } = useLive()
  const shards = series.subjects('shard').map(([shard = '']) => shard)
  const ofShards = (figure: string) =>
    shards.map(
      (shard, index): Line => ({
        name: seriesName('shard', shard, figure),
        label: `shard ${shard}`,
        color: lineColor(index),
      }),
    )
  return (
    <div className="sheet">
      <Panel title="Transactions" area="span-4" note="committed, per shard">
        <TimeChart label="Transactions a second per shard" lines={ofShards('transactionsPerSecond')} format={asRate} />
      </Panel>
      <Panel title="Transaction P99" area="span-4" note="per shard">
        <TimeChart
          label="99th percentile of transactions per shard"
          lines={ofShards('transactionP99Ms')}
          format={asTime}
        />
      </Panel>
      <Panel title="Waiting for a connection" area="span-4" note="transactions, per shard">
        <TimeChart
          label="Transactions that wait for a connection"
          lines={ofShards('waiting')}
          format={asCount}
          topMin={5}
        />
      </Panel>
      <ShardPanel />
      <CpuPanel />
      <LagCharts />
      <InstancePanel />
      <LagPanel />
    </div>
  )
}

const asRate = (value: number) => text(rate(value))
const asTime = (value: number) => text(duration(value))
const asCount = (value: number) => text(count(value))
const asSeconds = (value: number) => text(seconds(value))

/** Lines that can be told apart; the table below has them all. */
const LINES_MAX = 6

function LagCharts() {
  const { series, range } = useLive()
  const furthest = series
    .subjects('lag')
    .map(([topic = '', group = '']) => ({ topic, group, peak: highest(series, lagName(topic, group), range) }))
    .sort((one, other) => other.peak - one.peak)
    .slice(0, LINES_MAX)
  const lines = furthest.map(
    ({ topic, group }, index): Line => ({
      name: lagName(topic, group),
      label: `${topic} → ${group.replace(/-service$/, '')}`,
      color: lineColor(index),
    }),
  )
  return (
    <Panel title="Age of the oldest event" area="span-6" note="the groups furthest behind">
      <TimeChart label="Lag in seconds per topic and group" lines={lines} format={asSeconds} height={180} />
    </Panel>
  )
}

function lagName(topic: string, group: string): string {
  return seriesName('lag', topic, group, 'seconds')
}
