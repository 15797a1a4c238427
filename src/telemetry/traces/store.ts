import type { Span, TraceSummary } from '../view.ts'
import { FAILED_TRACES_KEPT_MAX, TRACE_SPANS_MAX, TRACES_KEPT_MAX } from './limits.ts'

type Kept = { readonly traceId: string; readonly spans: Map<string, Span>; newestAtMs: number }

/**
 * Finished spans by trace, in memory, bounded. A trace is kept among those that went well until one of its spans
 * failed; of each kind the oldest makes room for the newest. A span that comes late, after its trace has made room,
 * begins it anew.
 */
export class TraceStore {
  readonly #well = new Map<string, Kept>()
  readonly #failed = new Map<string, Kept>()
  #spansDropped = 0

  /** Spans that found their trace full. */
  get spansDropped(): number {
    return this.#spansDropped
  }

  /** Adding the same span again changes nothing. */
  add(span: Span): void {
    const trace = this.#traceOf(span)
    if (!trace.spans.has(span.spanId) && trace.spans.size >= TRACE_SPANS_MAX) {
      this.#spansDropped += 1
      return
    }
    trace.spans.set(span.spanId, span)
    trace.newestAtMs = Math.max(trace.newestAtMs, span.startedAtMs)
  }

  /** The newest first, by the beginning of their latest span. */
  list(limit: number): readonly TraceSummary[] {
    return [...this.#well.values(), ...this.#failed.values()]
      .sort((a, b) => b.newestAtMs - a.newestAtMs)
      .slice(0, Math.max(0, limit))
      .map(summaryOf)
  }

  /** By start time; none when the trace is not kept. */
  spans(traceId: string): readonly Span[] {
    return inOrder(this.#failed.get(traceId) ?? this.#well.get(traceId))
  }

  #traceOf({ traceId, failed }: Span): Kept {
    const failedBefore = this.#failed.get(traceId)
    if (failedBefore !== undefined) return failedBefore
    const trace = this.#well.get(traceId) ?? { traceId, spans: new Map(), newestAtMs: 0 }
    if (failed) {
      this.#well.delete(traceId)
      put(this.#failed, trace, FAILED_TRACES_KEPT_MAX)
    } else if (!this.#well.has(traceId)) {
      put(this.#well, trace, TRACES_KEPT_MAX)
    }
    return trace
  }
}

function put(traces: Map<string, Kept>, trace: Kept, max: number): void {
  if (traces.size >= max) traces.delete(traces.keys().next().value ?? '')
  traces.set(trace.traceId, trace)
}

function inOrder(trace: Kept | undefined): readonly Span[] {
  return [...(trace?.spans.values() ?? [])].sort((a, b) => a.startedAtMs - b.startedAtMs)
}

function summaryOf(trace: Kept): TraceSummary {
  const spans = inOrder(trace)
  // Clocks of two processes differ: the first is the one that no other caused, not the one that began earliest.
  const first = spans.find(({ parentSpanId }) => !trace.spans.has(parentSpanId ?? '')) ?? spans[0]
  const startedAtMs = spans[0]?.startedAtMs ?? 0
  const endedAtMs = spans.reduce((latest, span) => Math.max(latest, span.startedAtMs + span.durationMs), startedAtMs)
  return {
    traceId: trace.traceId,
    name: first?.name ?? '',
    startedAtMs,
    durationMs: endedAtMs - startedAtMs,
    spans: spans.length,
    services: [...new Set(spans.map(({ service }) => service))],
    failed: spans.some(({ failed }) => failed),
  }
}
