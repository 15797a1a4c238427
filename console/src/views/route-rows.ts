import type { Topology } from '../../../src/console/index.ts'
import { lastValue, recentRate, type TimeRange, total } from '../store/figures.ts'
import { type SeriesStore, seriesName } from '../store/series.ts'

export type RouteRow = {
  readonly service: string
  readonly route: string
  readonly summary: string | undefined
  readonly perSecond: number
  readonly p50Ms: number | undefined
  readonly p95Ms: number | undefined
  readonly p99Ms: number | undefined
  /** In the time on screen. */
  readonly requests: number
  readonly errors: number
}

/** A percentile of up to this long ago still says how a route is: seldom used ones would else be blank. */
const PERCENTILE_AGE_MS = 60_000

/** Every route that the application has or that had traffic. */
export function routeRows(series: SeriesStore, topology: Topology | undefined, range: TimeRange): RouteRow[] {
  const summaries = new Map<string, string | undefined>()
  for (const service of topology?.services ?? []) {
    for (const { method, path, summary } of service.routes) {
      summaries.set(seriesName(service.name, `${method} ${path}`), summary)
    }
  }
  for (const subject of series.subjects('route')) {
    const name = seriesName(...subject)
    if (!summaries.has(name)) summaries.set(name, undefined)
  }
  return [...summaries].map(([name, summary]) => ({ ...rowOf(series, name, range), summary }))
}

function rowOf(series: SeriesStore, name: string, range: TimeRange): Omit<RouteRow, 'summary'> {
  const [service = '', route = ''] = name.split('|')
  const column = (figure: string) => seriesName('route', service, route, figure)
  const percentile = (figure: string) => lastValue(series, column(figure), { ...range, withinMs: PERCENTILE_AGE_MS })
  return {
    service,
    route,
    perSecond: recentRate(series, column('perSecond'), range),
    p50Ms: percentile('p50Ms'),
    p95Ms: percentile('p95Ms'),
    p99Ms: percentile('p99Ms'),
    requests: total(series, column('perSecond'), range),
    errors: total(series, column('errors'), range),
  }
}
