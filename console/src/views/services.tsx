import type { Topology } from '../../../src/console/index.ts'
import { Sparkline } from '../charts/sparkline.tsx'
import { TimeChart } from '../charts/time-chart.tsx'
import { duration, rate, text } from '../format.ts'
import { errors, number, Quiet } from '../parts/columns.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { type Column, SortableTable } from '../parts/sortable-table.tsx'
import { recentRate, type TimeRange, total } from '../store/figures.ts'
import { useLive } from '../store/live.ts'
import { setParameters, useAddress } from '../store/router.ts'
import { type SeriesStore, seriesName } from '../store/series.ts'
import { RouteName } from './busiest-routes.tsx'
import { JourneyPanel } from './journey-panel.tsx'
import { latencyLines } from './lines.ts'
import { type RouteRow, routeRows } from './route-rows.ts'

/** Services, their routes, and the journeys through them. */
export function ServicesView() {
  const { series, topology, range } = useLive()
  const rows = routeRows(series, topology, range)
  const { route } = useAddress().parameters
  const busiest = [...rows].sort((one, other) => other.requests - one.requests)[0]
  const selected = rows.find((row) => keyOf(row) === route) ?? busiest
  return (
    <div className="sheet">
      {selected !== undefined && <RouteCharts row={selected} />}
      <Panel
        title="Routes"
        area="span-12"
        note="through the gateway and between services; choose one to see its course"
      >
        <SortableTable
          id="routes"
          caption="Routes with rate, latency and errors"
          columns={routeColumns}
          rows={rows}
          keyOf={keyOf}
          initial={{ column: 'perSecond', direction: 'descending' }}
          classOf={(row) => rowClass(row, selected)}
        />
      </Panel>
      <JourneyPanel />
      <ServicePanel series={series} topology={topology} range={range} />
    </div>
  )
}

function keyOf({ service, route }: RouteRow): string {
  return `${service} ${route}`
}

function rowClass(row: RouteRow, selected: RouteRow | undefined): string {
  const isSelected = selected !== undefined && keyOf(row) === keyOf(selected)
  return `${isSelected ? 'selected' : ''} ${row.requests === 0 ? 'idle' : ''}`
}

function RouteCharts({ row }: { readonly row: RouteRow }) {
  const name = ['route', row.service, row.route] as const
  return (
    <>
      <Panel title={row.route} area="span-7" note={row.summary ?? row.service}>
        <TimeChart
          label={`Latency of ${row.route}`}
          lines={latencyLines(...name)}
          format={(value) => text(duration(value))}
          height={180}
          empty="No request in this time."
        />
      </Panel>
      <Panel title="Rate and errors" area="span-5" note={row.route}>
        <TimeChart
          label={`Requests and errors a second of ${row.route}`}
          lines={[
            { name: seriesName(...name, 'perSecond'), label: 'requests', color: 'line-1', isFilled: true },
            { name: seriesName(...name, 'errors'), label: 'errors', color: 'red' },
          ]}
          format={(value) => text(rate(value))}
          height={180}
          empty="No request in this time."
        />
      </Panel>
    </>
  )
}

const routeColumns: readonly Column<RouteRow>[] = [
  {
    id: 'route',
    label: 'Route',
    value: (row) => row.route.replace(/^\w+ /, ''),
    cell: (row) => (
      <button type="button" className="plain" onClick={() => setParameters({ route: keyOf(row) })}>
        <RouteName route={row.route} />
      </button>
    ),
  },
  { id: 'service', label: 'Service', value: (row) => row.service, cell: (row) => <Quiet>{row.service}</Quiet> },
  {
    id: 'trend',
    label: 'Requests',
    cell: (row) => <Sparkline name={seriesName('route', row.service, row.route, 'perSecond')} />,
  },
  number('perSecond', 'Rate', { value: (row) => row.perSecond, quantity: rate }),
  number('p50Ms', 'P50', { value: (row) => row.p50Ms, quantity: duration }),
  number('p95Ms', 'P95', { value: (row) => row.p95Ms, quantity: duration }),
  number('p99Ms', 'P99', { value: (row) => row.p99Ms, quantity: duration }),
  errors('errors', 'Errors', (row) => row.errors),
]

type ServiceRow = {
  readonly name: string
  readonly summary: string | undefined
  readonly requests: number
  readonly events: number
  readonly http: number
  readonly application: number
  readonly database: number
}

const serviceColumns: readonly Column<ServiceRow>[] = [
  { id: 'name', label: 'Service', value: (row) => row.name, cell: (row) => <b>{row.name}</b> },
  { id: 'summary', label: 'What it does', cell: (row) => <Quiet>{row.summary}</Quiet> },
  number('requests', 'Requests', { value: (row) => row.requests, quantity: rate }),
  number('events', 'Events', { value: (row) => row.events, quantity: rate }),
  errors('http', 'HTTP errors', (row) => row.http),
  errors('application', 'Application errors', (row) => row.application),
  errors('database', 'Database errors', (row) => row.database),
]

type ServicePanelProps = {
  readonly series: SeriesStore
  readonly topology: Topology | undefined
  readonly range: TimeRange
}

function ServicePanel({ series, topology, range }: ServicePanelProps) {
  const rows = (topology?.services ?? []).map(({ name, summary }): ServiceRow => {
    const column = (figure: string) => seriesName('service', name, figure)
    return {
      name,
      summary,
      requests: recentRate(series, column('requestsPerSecond'), range),
      events: recentRate(series, column('eventsPerSecond'), range),
      http: total(series, column('httpErrors'), range),
      application: total(series, column('applicationErrors'), range),
      database: total(series, column('databaseErrors'), range),
    }
  })
  return (
    <Panel title="Services" area="span-12">
      {rows.length === 0 ? (
        <Empty headline="The application’s services are not known yet" />
      ) : (
        <SortableTable
          id="services"
          caption="Services with their work and errors"
          columns={serviceColumns}
          rows={rows}
          keyOf={(row) => row.name}
          initial={{ column: 'requests', direction: 'descending' }}
        />
      )}
    </Panel>
  )
}
