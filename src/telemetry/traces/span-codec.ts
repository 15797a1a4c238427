import type { Span } from '../view.ts'

/**
 * Spans as processes of one application tell each other of them: UTF-8 of a JSON list of spans, each a list
 * `[traceId, spanId, parentSpanId or null, name, service, kind, startedAtMs, durationMs, 0 or 1, attributes]`.
 */
type SpanRecord = readonly [
  traceId: string,
  spanId: string,
  parentSpanId: string | null,
  name: string,
  service: string,
  kind: Span['kind'],
  startedAtMs: number,
  durationMs: number,
  failed: 0 | 1,
  attributes: Span['attributes'],
]

export function encodeSpans(spans: readonly Span[]): Uint8Array {
  const records = spans.map((span): SpanRecord => {
    const { traceId, spanId, parentSpanId = null, name, service, kind, startedAtMs, durationMs, attributes } = span
    return [
      traceId,
      spanId,
      parentSpanId,
      name,
      service,
      kind,
      startedAtMs,
      durationMs,
      span.failed ? 1 : 0,
      attributes,
    ]
  })
  return new TextEncoder().encode(JSON.stringify(records))
}

/** The spans in it that are well-formed: a process of another version may send what this one does not know. */
export function decodeSpans(payload: Uint8Array): readonly Span[] {
  let records: unknown
  try {
    records = JSON.parse(new TextDecoder().decode(payload))
  } catch (error) {
    if (error instanceof SyntaxError) return []
    throw error
  }
  return Array.isArray(records) ? records.filter(isRecord).map(spanOf) : []
}

function spanOf(record: SpanRecord): Span {
  const [traceId, spanId, parent, name, service, kind, startedAtMs, durationMs, failed, attributes] = record
  const parentSpanId = parent ?? undefined
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    service,
    kind,
    startedAtMs,
    durationMs,
    failed: failed === 1,
    attributes,
  }
}

const KINDS: ReadonlySet<unknown> = new Set(['server', 'client', 'producer', 'consumer', 'internal'])

function isRecord(record: unknown): record is SpanRecord {
  if (!Array.isArray(record) || record.length !== 10) return false
  const [traceId, spanId, parent, name, service, kind, startedAtMs, durationMs, , attributes] = record as unknown[]
  const areTexts = [traceId, spanId, parent ?? '', name, service].every((part) => typeof part === 'string')
  const areTimes = Number.isFinite(startedAtMs) && Number.isFinite(durationMs)
  return areTexts && areTimes && KINDS.has(kind) && typeof attributes === 'object' && attributes !== null
}
