import type { AnyEventType, EventEnvelope } from '../core/index.ts'
import { messageOf } from '../core/index.ts'
import { eventsError } from './errors.ts'
import { upcast } from './upcast.ts'

/**
 * A segment is what the outbox and the log store: consecutive events of one topic as one JSON text without line breaks,
 * `[[id, version, bucket, key, traceparent, occurredAtMs, payload], …]`.
 */
export type Segment = {
  /** Of its first event. */
  readonly id: string
  readonly topic: string
  readonly lastOffset: number
  /** How many events, 1 or more: they hold the offsets up to `lastOffset`. */
  readonly events: number
  readonly records: string
  /** The same events as this process emitted them, if it did: they need not be parsed and checked again. */
  readonly emitted?: readonly EmittedEvent[] | undefined
}

/** An event as emitted: its payload is what the type's schema made of it, which is also what reading it back gives. */
export type EmittedEvent = { readonly envelope: EventEnvelope; readonly type: AnyEventType }

/** An event at its place in the log. Groups of one process share it: the payload must not be changed. */
export type LoggedEvent = {
  readonly topic: string
  /** What positions are kept of: its topic, or `topic/partition` where a broker carries it. Offsets rise within it. */
  readonly stream: string
  readonly offset: number
  envelope: EventEnvelope
  /** The envelope as it was written, once `envelope` is what a consumer's event type made of it. */
  written?: EventEnvelope
  /** The event type that `envelope` and `problem` were last checked against. */
  checkedBy?: AnyEventType
  /** Why a consumer of that type cannot read it. */
  problem?: string | undefined
}

type EventRecord = readonly [string, number, number, string, string, number, unknown]

/** One event as it stands inside a segment. */
export function encodeRecord(envelope: Omit<EventEnvelope, 'type'>): string {
  const { id, version, bucket, key, traceparent, occurredAtMs, payload } = envelope
  return JSON.stringify([id, version, bucket, key, traceparent, occurredAtMs, payload] satisfies EventRecord)
}

/** The events of a segment in order. Throws EVENTS_LOG_UNREADABLE. */
export function decodeSegment(segment: Segment): LoggedEvent[] {
  const { topic } = segment
  const first = segment.lastOffset - segment.events + 1
  if (segment.emitted !== undefined) {
    return segment.emitted.map(({ envelope, type }, index) => {
      return { topic, stream: topic, offset: first + index, envelope, checkedBy: type }
    })
  }
  const records = parse(segment)
  return records.map(([id, version, bucket, key, traceparent, occurredAtMs, payload], index) => ({
    topic,
    stream: topic,
    offset: first + index,
    envelope: { id, type: topic, version, key, bucket, payload, traceparent, occurredAtMs },
  }))
}

/**
 * Makes of an event what a consumer reads: its version, by upcasters where it was written in an older one, and its
 * payload by the schema. The answer is kept with the event, so that groups with the same event type check once. Sets
 * `problem` when the event is not readable.
 */
export function checkEvent(event: LoggedEvent, type: AnyEventType): void {
  if (event.checkedBy === type) return
  event.checkedBy = type
  event.written ??= event.envelope
  const read = upcast(event.written, type)
  event.problem = read.kind === 'unreadable' ? read.problem : undefined
  event.envelope = read.kind === 'unreadable' ? event.written : read.envelope
}

function parse(segment: Segment): readonly EventRecord[] {
  const where = `segment ${segment.lastOffset} of ${segment.topic}`
  let records: unknown
  try {
    records = JSON.parse(segment.records)
  } catch (cause) {
    throw eventsError('EVENTS_LOG_UNREADABLE', `${where} is no JSON: ${messageOf(cause)}`, { cause })
  }
  if (!Array.isArray(records) || records.length !== segment.events) {
    throw eventsError('EVENTS_LOG_UNREADABLE', `${where} should hold ${segment.events} events`)
  }
  return records as readonly EventRecord[]
}
