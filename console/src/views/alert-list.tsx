import type { Alert } from '../../../src/telemetry/index.ts'
import { ago, dayTime } from '../format.ts'
import { Empty } from '../parts/panel.tsx'
import { useLive } from '../store/live.ts'

type ListProps = { readonly isBrief?: boolean }

const BRIEF_MAX = 4

/** Alerts, firing ones first: what, by how much, since when. */
export function AlertList({ isBrief = false }: ListProps) {
  const { state, range } = useLive()
  if (state === undefined) return null
  const { alerts } = state
  if (alerts.length === 0) {
    return <Empty headline="Nothing fires">{isBrief ? 'And nothing did in the last day.' : EXPLANATION}</Empty>
  }
  return (
    <ul className="alerts">
      {(isBrief ? alerts.slice(0, BRIEF_MAX) : alerts).map((alert) => (
        <AlertItem key={alert.id} alert={alert} nowMs={range.toMs} />
      ))}
    </ul>
  )
}

const EXPLANATION =
  'Rules look at change: a route whose P99 rose against its own past with significance, and lag that keeps growing.'

function AlertItem({ alert, nowMs }: { readonly alert: Alert; readonly nowMs: number }) {
  const { state, rule, subject, message, sinceMs, resolvedAtMs } = alert
  return (
    <li className={state}>
      <i aria-hidden="true" />
      <p>
        <b>{subject}</b> <span className="tag">{RULES[rule]}</span>
        <span className="message">{message}</span>
        <small>
          {state === 'firing'
            ? `firing, began ${ago(sinceMs, nowMs)}`
            : `resolved ${ago(resolvedAtMs ?? sinceMs, nowMs)}`}
          {' · '}
          <time dateTime={new Date(sinceMs).toISOString()}>{dayTime(sinceMs)}</time>
        </small>
      </p>
    </li>
  )
}

const RULES = { 'latency-rise': 'latency', 'lag-growth': 'lag' } as const

/** What works worse than it should but goes on. */
export function DegradationList({ isBrief = false }: ListProps) {
  const { state, range } = useLive()
  if (state === undefined || (isBrief && state.degradations.length === 0)) return null
  if (state.degradations.length === 0) {
    return <Empty headline="Nothing is degraded">A cache that is gone, or a database away, would be told here.</Empty>
  }
  return (
    <ul className="alerts">
      {state.degradations.map(({ part, message, sinceMs }) => (
        <li key={part} className="degraded">
          <i aria-hidden="true" />
          <p>
            <b>{part}</b> <span className="tag">degraded</span>
            <span className="message">{message}</span>
            <small>began {ago(sinceMs, range.toMs)}</small>
          </p>
        </li>
      ))}
    </ul>
  )
}
