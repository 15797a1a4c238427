import { childTraceparent, parseTraceparent, preciseNow } from '../core/index.ts'
import type { TracedEvent } from './channels.ts'
import type { Item } from './plan.ts'
import type { Segment } from './segment.ts'

/** What those who listen are told of events whose traces are kept. Of all others nothing is made. */
export function tracedOf(items: readonly Item[]): readonly TracedEvent[] {
  const traced: TracedEvent[] = []
  for (const { event, span } of items) {
    if (span === undefined) continue
    const { topic, envelope } = event
    const durationMs = performance.now() - span.startedAtMs
    traced.push({ topic, traceparent: span.traceparent, parent: envelope.traceparent, durationMs })
  }
  return traced
}

/**
 * The events of a segment whose traces are kept. Found in its text, since parsing every segment for the few that hold
 * one would cost the sequencer more than its own work: a record is `[id, version, bucket, key, traceparent,
 * occurredAtMs, payload]`, so what looks like the end of a kept traceparent must have all of one before it and a time
 * behind it. A payload that imitates a record gets a span that nobody asked for, and no more.
 */
export function tracedIn({ topic, records }: Segment): readonly TracedEvent[] {
  const traced: TracedEvent[] = []
  for (let at = records.indexOf(KEPT_END); at >= 0; at = records.indexOf(KEPT_END, at + KEPT_END.length)) {
    const parent = parseTraceparent(records.slice(at + FLAGS_CHARS - TRACEPARENT_CHARS, at + FLAGS_CHARS))
    const occurredAtMs = Number.parseInt(records.slice(at + KEPT_END.length, at + KEPT_END.length + TIME_CHARS), 10)
    if (parent === undefined || Number.isNaN(occurredAtMs)) continue
    // Some time within that millisecond: its end, so that no span begins before the one that emitted the event.
    const durationMs = Math.max(0, preciseNow() - occurredAtMs - 1)
    traced.push({ topic, traceparent: childTraceparent(parent), parent, durationMs })
  }
  return traced
}

const KEPT_END = '-01",'
/** `-01`, the part of it that belongs to the traceparent, and the whole of a traceparent. */
const FLAGS_CHARS = 3
const TRACEPARENT_CHARS = 55
/** Digits of a time in milliseconds, until the year 2286. */
const TIME_CHARS = 13
