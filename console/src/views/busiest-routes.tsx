import { Sparkline } from '../charts/sparkline.tsx'
import { count, duration, rate } from '../format.ts'
import { Figure } from '../parts/figure.tsx'
import { Empty } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { seriesName } from '../store/series.ts'
import { type RouteRow, routeRows } from './route-rows.ts'

const ROWS_MAX = 7

/** The routes with most requests, as a table without controls. */
export function BusiestRoutes() {
  const { series, topology, range } = useLive()
  const rows = routeRows(series, topology, range)
    .filter((row) => row.requests > 0)
    .sort((one, other) => other.requests - one.requests)
    .slice(0, ROWS_MAX)
  if (rows.length === 0) {
    return <Empty headline="No traffic yet">Send a request through the gateway, or run groundswell load.</Empty>
  }
  return (
    <div className="table-scroll">
      <table>
        <caption className="unseen">Routes with most requests</caption>
        <thead>
          <tr>
            <th>Route</th>
            <th>Requests</th>
            <th className="number">Rate</th>
            <th className="number">P95</th>
            <th className="number">Errors</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <BusyRow key={`${row.service} ${row.route}`} row={row} />
          ))}
        </tbody>
      </table>
    </div>
  )
}

function BusyRow({ row }: { readonly row: RouteRow }) {
  return (
    <tr>
      <td>
        <RouteName route={row.route} />
      </td>
      <td>
        <Sparkline name={seriesName('route', row.service, row.route, 'perSecond')} />
      </td>
      <td className="number">
        <Figure quantity={rate(row.perSecond)} />
      </td>
      <td className="number">
        <Figure quantity={duration(row.p95Ms)} />
      </td>
      <td className="number">
        <Figure quantity={count(row.errors)} tone={row.errors > 0 ? 'red' : 'quiet'} />
      </td>
    </tr>
  )
}

/** `POST /orders`, the method quieter. */
export function RouteName({ route }: { readonly route: string }) {
  const [method = '', path = ''] = route.split(' ', 2)
  return (
    <span className="route">
      <span className="method">{method}</span> {path}
    </span>
  )
}
