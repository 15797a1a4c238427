import { HeatMap } from '../charts/heat-map.tsx'
import { shortInstance } from '../format.ts'
import { Empty, Panel } from '../parts/panel.tsx'
import { highest } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import { seriesName } from '../store/series.ts'

/** Each process by time: who works, who idles, and who has no headroom. */
export function CpuPanel() {
  const { series, range } = useLive()
  const services = new Map(series.latest?.instances.map((one) => [one.instance, one.services]))
  const rows = series
    .subjects('instance')
    .map(([instance = '']) => ({ instance, name: seriesName('instance', instance, 'cpuPercent') }))
    .filter(({ name }) => highest(series, name, range) > 0)
    .map(({ instance, name }) => ({
      id: instance,
      label: roleOf(services.get(instance)),
      detail: shortInstance(instance),
      name,
    }))
  return (
    <Panel title="CPU Utilization" area="span-6" note="instances by time, the highest of each cell">
      {rows.length === 0 ? (
        <Empty headline="No instance has reported yet">Each process reports once a second from its start on.</Empty>
      ) : (
        <HeatMap label="Processor use per instance over time" rows={rows} />
      )}
    </Panel>
  )
}

/** What of the application a process runs, in a few words. */
function roleOf(parts: readonly string[] | undefined): string {
  if (parts === undefined) return 'ended since'
  const services = parts.filter((part) => part !== 'gateway' && part !== 'console')
  const fronts = parts.filter((part) => part === 'gateway' || (part === 'console' && services.length === 0))
  const words = services.length > 1 ? `${services.length} services` : services[0]
  return [...fronts, ...(words === undefined ? [] : [words])].join(', ')
}
