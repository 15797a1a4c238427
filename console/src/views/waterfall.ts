import type { Span } from '../../../src/telemetry/index.ts'

/** A span in its place: how deep below the first, and where on the trace's time, as shares of it. */
export type WaterfallRow = {
  readonly span: Span
  readonly depth: number
  readonly left: number
  readonly width: number
}

export type Waterfall = {
  readonly rows: readonly WaterfallRow[]
  readonly startedAtMs: number
  readonly durationMs: number
}

/**
 * Spans as a tree in order of start. A span whose parent is not kept begins a tree of its own; one that is its own
 * ancestor, which a faulty sender could make, is shown once.
 */
export function waterfallOf(spans: readonly Span[]): Waterfall {
  const startedAtMs = Math.min(...spans.map((span) => span.startedAtMs))
  const endedAtMs = Math.max(...spans.map((span) => span.startedAtMs + span.durationMs))
  const durationMs = Math.max(endedAtMs - startedAtMs, 0.001)
  const ids = new Set(spans.map((span) => span.spanId))
  const children = Map.groupBy(spans, (span) => parentIn(ids, span))
  const rows: WaterfallRow[] = []
  const placed = new Set<string>()
  const place = (span: Span, depth: number) => {
    if (placed.has(span.spanId)) return
    placed.add(span.spanId)
    const left = (span.startedAtMs - startedAtMs) / durationMs
    rows.push({ span, depth, left, width: span.durationMs / durationMs })
    for (const child of byStart(children.get(span.spanId) ?? [])) place(child, depth + 1)
  }
  for (const root of byStart(children.get(undefined) ?? [])) place(root, 0)
  for (const rest of byStart(spans)) place(rest, 0)
  return { rows, startedAtMs, durationMs }
}

function parentIn(ids: ReadonlySet<string>, { parentSpanId }: Span): string | undefined {
  return parentSpanId !== undefined && ids.has(parentSpanId) ? parentSpanId : undefined
}

function byStart(spans: readonly Span[]): readonly Span[] {
  return [...spans].sort((one, other) => one.startedAtMs - other.startedAtMs)
}
