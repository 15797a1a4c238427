import { useState } from 'react'
import type { TraceSummary } from '../../../src/telemetry/index.ts'
import { ago, clockTime, duration } from '../format.ts'
import { Figure } from '../parts/figure.tsx'
import { Empty, Panel } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'
import { usePolled } from '../store/polled.ts'
import { hrefOf, setParameters, useAddress } from '../store/router.ts'
import { RouteName } from './busiest-routes.tsx'
import { moveFocus } from './row-focus.ts'
import { TraceView } from './trace.tsx'

const POLL_MS = 2_000
const TRACES_MAX = 200

/** The traces that are kept, or one of them. */
export function TracesView() {
  const { item } = useAddress()
  return item === undefined ? <TraceList /> : <TraceView traceId={item} />
}

function TraceList() {
  const { timeView } = useLive()
  const { filter = '', only = '' } = useAddress().parameters
  const isHeld = timeView.kind === 'fixed'
  const polled = usePolled<{ traces: readonly TraceSummary[] }>(`/api/traces?limit=${TRACES_MAX}`, POLL_MS, isHeld)
  const all = polled.kind === 'ready' ? polled.body.traces : []
  const shown = all.filter((trace) => matches(trace, filter.toLowerCase()) && (only !== 'failed' || trace.failed))
  return (
    <div className="sheet">
      <Panel
        title="Traces"
        area="span-12"
        note={`${shown.length} of the newest ${all.length}`}
        actions={<TraceFilter filter={filter} only={only} />}
      >
        {polled.kind === 'failed' && <Empty headline="Traces cannot be read">{polled.message}</Empty>}
        {polled.kind === 'ready' && shown.length === 0 && <NoTraces hasAny={all.length > 0} />}
        {shown.length > 0 && <TraceTable traces={shown} />}
      </Panel>
    </div>
  )
}

function matches(trace: TraceSummary, words: string): boolean {
  return `${trace.name} ${trace.services.join(' ')} ${trace.traceId}`.toLowerCase().includes(words)
}

function NoTraces({ hasAny }: { readonly hasAny: boolean }) {
  if (hasAny) return <Empty headline="No trace fits">Change the filter to see the others.</Empty>
  return <Empty headline="No traces yet">A sample of requests is kept, and every one that fails or is slow.</Empty>
}

function TraceFilter({ filter, only }: { readonly filter: string; readonly only: string }) {
  const [text, setText] = useState(filter)
  return (
    <div className="trace-filter">
      <input
        id="trace-filter"
        type="search"
        placeholder="Name, service or trace id  /"
        aria-label="Filter traces"
        value={text}
        onChange={(event) => {
          setText(event.target.value)
          setParameters({ filter: event.target.value })
        }}
      />
      <button
        type="button"
        aria-pressed={only === 'failed'}
        onClick={() => setParameters({ only: only === 'failed' ? '' : 'failed' })}
      >
        Failed only
      </button>
    </div>
  )
}

function TraceTable({ traces }: { readonly traces: readonly TraceSummary[] }) {
  const { range } = useLive()
  const longest = Math.max(...traces.map((trace) => trace.durationMs))
  return (
    <div className="table-scroll">
      <table className="traces" onKeyDown={moveFocus}>
        <caption className="unseen">Traces, newest first</caption>
        <thead>
          <tr>
            <th>Begun</th>
            <th>Trace</th>
            <th>Services</th>
            <th className="number">Spans</th>
            <th className="number">Duration</th>
            <th aria-label="Duration as a bar" />
          </tr>
        </thead>
        <tbody>
          {traces.map((trace) => (
            <tr key={trace.traceId} className={trace.failed ? 'failed' : ''}>
              <td className="quiet" title={ago(trace.startedAtMs, range.toMs)}>
                {clockTime(trace.startedAtMs)}
              </td>
              <td>
                <a href={hrefOf('traces', trace.traceId)}>
                  <RouteName route={trace.name} />
                </a>
                {trace.failed && <span className="tag red">failed</span>}
              </td>
              <td className="quiet">{servicesOf(trace)}</td>
              <td className="number">{trace.spans}</td>
              <td className="number">
                <Figure quantity={duration(trace.durationMs)} />
              </td>
              <td className="bar-cell">
                <i style={{ width: `${Math.max(0.5, (trace.durationMs / longest) * 100)}%` }} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function servicesOf({ services }: TraceSummary): string {
  return services.map((service) => service.replace(/-service$/, '')).join(', ')
}
