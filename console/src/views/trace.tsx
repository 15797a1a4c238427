import { useState } from 'react'
import type { Span } from '../../../src/telemetry/index.ts'
import { lineColor } from '../charts/colors.ts'
import { dayTime, duration, text } from '../format.ts'
import { Empty, Panel } from '../parts/panel.tsx'
import { usePolled } from '../store/polled.ts'
import { hrefOf } from '../store/router.ts'
import { moveFocus } from './row-focus.ts'
import { type Waterfall, type WaterfallRow, waterfallOf } from './waterfall.ts'

/** Consumers of an event add spans for as long as they work on it. */
const POLL_MS = 2_000

/** One trace: its spans by time, from the request through the events to their last consumer. */
export function TraceView({ traceId }: { readonly traceId: string }) {
  const polled = usePolled<{ spans: readonly Span[] }>(`/api/traces/${encodeURIComponent(traceId)}`, POLL_MS)
  const [chosen, setChosen] = useState<string>()
  if (polled.kind === 'loading') return null
  if (polled.kind === 'failed') {
    return (
      <div className="sheet">
        <Panel title="Trace" area="span-12" actions={<Back />}>
          <Empty headline="This trace is not here">{polled.message}</Empty>
        </Panel>
      </div>
    )
  }
  const { spans } = polled.body
  const waterfall = waterfallOf(spans)
  const services = [...new Set(waterfall.rows.map(({ span }) => span.service))]
  const selected = waterfall.rows.find(({ span }) => span.spanId === chosen) ?? waterfall.rows[0]
  return (
    <div className="sheet">
      <Panel
        title={waterfall.rows[0]?.span.name ?? 'Trace'}
        area="span-8"
        note={noteOf(waterfall, services)}
        actions={<Back />}
      >
        <TimeScale waterfall={waterfall} />
        <ol className="waterfall" onKeyDown={moveFocus}>
          {waterfall.rows.map((row) => (
            <SpanRow
              key={row.span.spanId}
              row={row}
              color={lineColor(services.indexOf(row.span.service))}
              isSelected={row === selected}
              onSelect={() => setChosen(row.span.spanId)}
            />
          ))}
        </ol>
      </Panel>
      {selected !== undefined && <SpanPanel span={selected.span} startedAtMs={waterfall.startedAtMs} />}
    </div>
  )
}

function noteOf({ rows, durationMs, startedAtMs }: Waterfall, services: readonly string[]): string {
  const size = `${rows.length} spans, ${services.length} services`
  return `${size}, ${text(duration(durationMs))}, ${dayTime(startedAtMs)}`
}

function Back() {
  return (
    <a className="more" href={hrefOf('traces')}>
      All traces
    </a>
  )
}

const SHARES = [0, 0.25, 0.5, 0.75, 1]

function TimeScale({ waterfall: { durationMs } }: { readonly waterfall: Waterfall }) {
  return (
    <div className="time-scale" aria-hidden="true">
      {SHARES.map((share) => (
        <span key={share}>{text(duration(share * durationMs))}</span>
      ))}
    </div>
  )
}

type SpanRowProps = {
  readonly row: WaterfallRow
  readonly color: string
  readonly isSelected: boolean
  readonly onSelect: () => void
}

function SpanRow({ row, color, isSelected, onSelect }: SpanRowProps) {
  const { span, depth, left, width } = row
  return (
    <li>
      <button type="button" aria-pressed={isSelected} onClick={onSelect} onFocus={onSelect}>
        <span className="span-name" style={{ paddingInlineStart: `${depth * 14}px` }}>
          <i className={`swatch ${span.failed ? 'red' : color}`} />
          <span>{span.name}</span>
          {!span.name.startsWith(span.service) && <small>{span.service}</small>}
        </span>
        <span className="span-track">
          <i
            className={`span-bar ${span.failed ? 'red' : color} ${span.kind}`}
            style={{ left: `${left * 100}%`, width: `max(2px, ${width * 100}%)` }}
          />
          <small style={left + width > 0.8 ? { right: `${(1 - left) * 100}%` } : { left: `${(left + width) * 100}%` }}>
            {text(duration(span.durationMs))}
          </small>
        </span>
      </button>
    </li>
  )
}

function SpanPanel({ span, startedAtMs }: { readonly span: Span; readonly startedAtMs: number }) {
  const facts: readonly (readonly [string, string])[] = [
    ['service', span.service],
    ['kind', span.kind],
    ['begins', `+${text(duration(span.startedAtMs - startedAtMs))}`],
    ['duration', text(duration(span.durationMs))],
    ['outcome', span.failed ? 'failed' : 'ok'],
    ...Object.entries(span.attributes).map(([name, value]) => [name, String(value)] as const),
    ['span id', span.spanId],
    ['trace id', span.traceId],
  ]
  return (
    <Panel title={span.name} area="span-4" note="the span chosen">
      <dl className="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </Panel>
  )
}
