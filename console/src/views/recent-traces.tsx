import type { TraceSummary } from '../../../src/telemetry/index.ts'
import { ago, duration } from '../format.ts'
import { Figure } from '../parts/figure.tsx'
import { Empty } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { usePolled } from '../store/polled.ts'
import { hrefOf } from '../store/router.ts'
import { RouteName } from './busiest-routes.tsx'

const ROWS_MAX = 7

/** The newest traces, each a link to its spans. */
export function RecentTraces() {
  const { range, timeView } = useLive()
  const polled = usePolled<{ traces: readonly TraceSummary[] }>(
    `/api/traces?limit=${ROWS_MAX}`,
    2_000,
    timeView.kind === 'fixed',
  )
  if (polled.kind === 'failed') return <Empty headline="Traces cannot be read">{polled.message}</Empty>
  if (polled.kind === 'loading') return null
  if (polled.body.traces.length === 0) {
    return <Empty headline="No traces yet">A sample of requests is kept, and every one that fails or is slow.</Empty>
  }
  return (
    <ul className="brief-traces">
      {polled.body.traces.map((trace) => (
        <li key={trace.traceId}>
          <a href={hrefOf('traces', trace.traceId)} className={trace.failed ? 'failed' : ''}>
            <RouteName route={trace.name} />
            <span className="quiet">{trace.spans} spans</span>
            <Figure quantity={duration(trace.durationMs)} {...(trace.failed ? { tone: 'red' } : {})} />
            <span className="quiet number">{ago(trace.startedAtMs, range.toMs)}</span>
          </a>
        </li>
      ))}
    </ul>
  )
}
