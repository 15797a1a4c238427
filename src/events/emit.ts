import type { EventType, Facts } from '../core/index.ts'
import type { Transaction } from '../data/index.ts'
import { type EmittedFact, emittedOf } from './channels.ts'
import { checkedEvent } from './checked-event.ts'
import { insertOutbox, type OutboxRow } from './engines/postgres-log.ts'
import { eventsError } from './errors.ts'
import { holdsJsonOnly } from './json-type.ts'
import { EMITTED_EVENTS_MAX, SEGMENT_CHARS_MAX } from './limits.ts'
import { type EmittedEvent, encodeRecord } from './segment.ts'
import { outboxWritten } from './signals.ts'
import { setTimer } from './timers.ts'
import { writtenSegments } from './written.ts'

export type EmitOptions = {
  /** Names the span that the event follows from. */
  readonly traceparent: string
  /** Keeps the event back for so long after the transaction wrote it, by the database's clock. */
  readonly delayMs?: number
  /** Keeps the event back until then, by the database's clock; the later counts when `delayMs` is given too. */
  readonly notBefore?: Date
}

/**
 * Writes an event as part of the transaction: it exists if and only if the transaction commits. Rows are inserted once,
 * just before COMMIT, after the transaction has locked what it changed: that is what keeps the events of a key in
 * order. One that is delayed comes in the order of its due time instead; to cancel it, use `schedule`. Returns the
 * event's id. Throws EVENTS_PAYLOAD_INVALID, EVENTS_TOO_MANY, EVENTS_TIMER_INVALID.
 */
export function emit<Payload>(
  tx: Transaction,
  type: EventType<Payload>,
  payload: Payload,
  options: EmitOptions,
): string {
  const event = checkedEvent(type, payload, options)
  const { envelope } = event
  const { delayMs = 0, notBefore } = options
  if (delayMs !== 0 || notBefore !== undefined) {
    setTimer(tx, { key: envelope.id, dueInMs: delayMs, notBefore, event })
    return envelope.id
  }
  const events = emitted(tx)
  events.add(encodeRecord({ ...envelope, payload }), { envelope, type })
  const channel = emittedOf(type.name)
  if (channel.hasSubscribers) events.tell(channel, { payload, occurredAtMs: envelope.occurredAtMs })
  return envelope.id
}

const EMITTED = Symbol('events emitted by a transaction')

function emitted(tx: Transaction): EmittedEvents {
  return tx.attach(EMITTED, () => {
    const events = new EmittedEvents(() => tx.beforeCommit(() => write(tx, events.take())))
    tx.afterCommit(() => outboxWritten(tx.shard))
    tx.afterCommit(() => events.publish())
    return events
  })
}

function write(tx: Transaction, rows: readonly EmittedSegment[]): void {
  insertOutbox(tx, rows)
  writtenSegments.add(tx.shard, rows)
}

type EmittedSegment = OutboxRow & { readonly emitted: readonly EmittedEvent[] | undefined }
type OpenSegment = { readonly id: string; records: string; readonly emitted: EmittedEvent[] }

/** The events of one transaction, joined into segments as they come. */
class EmittedEvents {
  private segments: EmittedSegment[] = []
  private readonly open = new Map<string, OpenSegment>()
  private readonly told: { readonly channel: Facts<EmittedFact>; readonly fact: EmittedFact }[] = []
  private readonly onFirst: () => void
  private count = 0

  /** `onFirst` is called for the first event, and for the first after each `take`. */
  constructor(onFirst: () => void) {
    this.onFirst = onFirst
  }

  add(record: string, event: EmittedEvent): void {
    if (++this.count > EMITTED_EVENTS_MAX) {
      throw eventsError('EVENTS_TOO_MANY', `one transaction emitted more than ${EMITTED_EVENTS_MAX} events`)
    }
    if (this.open.size === 0) this.onFirst()
    const topic = event.type.name
    const segment = this.open.get(topic)
    if (segment !== undefined && segment.records.length + record.length <= SEGMENT_CHARS_MAX) {
      segment.emitted.push(event)
      segment.records += `,${record}`
      return
    }
    if (segment !== undefined) this.segments.push(closed(topic, segment))
    this.open.set(topic, { id: event.envelope.id, records: record, emitted: [event] })
  }

  /** Keeps a fact for when the transaction has committed. */
  tell(channel: Facts<EmittedFact>, fact: EmittedFact): void {
    this.told.push({ channel, fact })
  }

  publish(): void {
    for (const { channel, fact } of this.told.splice(0)) channel.publish(fact)
  }

  /** All segments in the order of writing within each topic; starts afresh. */
  take(): readonly EmittedSegment[] {
    const segments = this.segments
    for (const [topic, segment] of this.open) segments.push(closed(topic, segment))
    this.segments = []
    this.open.clear()
    return segments
  }
}

function closed(topic: string, { id, records, emitted }: OpenSegment): EmittedSegment {
  const isReadBackAsEmitted = emitted.every(({ type }) => holdsJsonOnly(type))
  return {
    id,
    topic,
    events: emitted.length,
    records: `[${records}]`,
    emitted: isReadBackAsEmitted ? emitted : undefined,
  }
}
