import { TimeChart } from '../charts/time-chart.tsx'
import { duration, text } from '../format.ts'
import { Panel } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { hrefOf } from '../store/router.ts'
import { SPAN_DEFAULT_MS } from '../store/time-view.ts'
import { AlertList, DegradationList } from './alert-list.tsx'
import { BusiestRoutes } from './busiest-routes.tsx'
import { CpuPanel } from './cpu-panel.tsx'
import { ErrorPanel } from './error-panel.tsx'
import { KeyFigures } from './key-figures.tsx'
import { LagPanel } from './lag-panel.tsx'
import { latencyLines } from './lines.ts'
import { RecentTraces } from './recent-traces.tsx'
import { VerdictLine } from './verdict-line.tsx'

/** The first screen: whether all is well, in words and in numbers, and the four views that say why. */
export function OverviewView() {
  return (
    <>
      <VerdictLine />
      <KeyFigures />
      <div className="sheet">
        <Panel title="Global API Latency" area="span-8" note={<SpanNote />}>
          <TimeChart
            label="Latency of all requests through the gateway: 50th, 95th and 99th percentile"
            lines={latencyLines('all')}
            format={(value) => text(duration(value))}
            height={236}
            topMin={10}
            empty="No request came through the gateway in this time."
          />
        </Panel>
        <ErrorPanel />
        <CpuPanel />
        <LagPanel rowsMax={7} />
        <Panel title="Busiest routes" area="span-5" actions={<More view="services" />}>
          <BusiestRoutes />
        </Panel>
        <Panel title="Recent traces" area="span-4" actions={<More view="traces" />}>
          <RecentTraces />
        </Panel>
        <Panel title="Alerts" area="span-3" actions={<More view="alerts" />}>
          <DegradationList isBrief />
          <AlertList isBrief />
        </Panel>
      </div>
    </>
  )
}

/** Whether the charts show the usual half hour, and of whom. */
function SpanNote() {
  const { timeView } = useLive()
  if (timeView.kind === 'fixed') return 'all requests, the time chosen'
  const minutes = timeView.spanMs / 60_000
  return timeView.spanMs === SPAN_DEFAULT_MS ? 'all requests, 30 minutes' : `all requests, ${minutes} minutes`
}

function More({ view }: { readonly view: string }) {
  return (
    <a className="more" href={hrefOf(view)} aria-label={`All: ${view}`}>
      All
    </a>
  )
}
