import { type EventType, type Facts, newId, systemClock } from '../core/index.ts'
import { bucketOf, type Transaction } from '../data/index.ts'
import { type EmittedFact, emittedOf } from './channels.ts'
import { insertOutbox, type OutboxRow } from './engines/postgres-log.ts'
import { eventsError } from './errors.ts'
import { EMITTED_EVENTS_MAX, SEGMENT_CHARS_MAX } from './limits.ts'
import { encodeRecord } from './segment.ts'
import { outboxWritten } from './signals.ts'
import { writtenSegments } from './written.ts'

/**
 * Writes an event as part of the transaction: it exists if and only if the transaction commits. Rows are inserted once,
 * just before COMMIT, after the transaction has locked what it changed: that is what keeps the events of a key in
 * order. Returns the event's id. Throws EVENTS_PAYLOAD_INVALID, EVENTS_TOO_MANY.
 */
export function emit<Payload>(
  tx: Transaction,
  type: EventType<Payload>,
  payload: Payload,
  context: { readonly traceparent: string },
): string {
  const checked = type.schema.safeParse(payload)
  if (!checked.success) {
    throw eventsError('EVENTS_PAYLOAD_INVALID', `payload of ${type.name} v${type.version}: ${checked.error.message}`, {
      details: { issues: checked.error.issues },
    })
  }
  const key = type.key(payload)
  if (typeof key === 'string' && (key.includes('\0') || !key.isWellFormed())) {
    throw eventsError(
      'EVENTS_PAYLOAD_INVALID',
      `key of ${type.name} v${type.version} holds a NUL or half of a surrogate pair, which PostgreSQL has no text for`,
    )
  }
  const bucket = bucketOf(key)
  const id = newId(bucket)
  const occurredAtMs = systemClock.now()
  const record = encodeRecord({
    id,
    version: type.version,
    bucket,
    key: String(key),
    traceparent: context.traceparent,
    occurredAtMs,
    payload,
  })
  const events = emitted(tx)
  events.add(type.name, id, record)
  const channel = emittedOf(type.name)
  if (channel.hasSubscribers) events.tell(channel, { payload, occurredAtMs })
  return id
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

function write(tx: Transaction, rows: readonly OutboxRow[]): void {
  insertOutbox(tx, rows)
  writtenSegments.add(tx.shard, rows)
}

/** The events of one transaction, joined into segments as they come. */
class EmittedEvents {
  private rows: OutboxRow[] = []
  private readonly open = new Map<string, { id: string; events: number; records: string }>()
  private readonly told: { readonly channel: Facts<EmittedFact>; readonly fact: EmittedFact }[] = []
  private readonly onFirst: () => void
  private count = 0

  /** `onFirst` is called for the first event, and for the first after each `take`. */
  constructor(onFirst: () => void) {
    this.onFirst = onFirst
  }

  add(topic: string, id: string, record: string): void {
    if (++this.count > EMITTED_EVENTS_MAX) {
      throw eventsError('EVENTS_TOO_MANY', `one transaction emitted more than ${EMITTED_EVENTS_MAX} events`)
    }
    if (this.open.size === 0) this.onFirst()
    const segment = this.open.get(topic)
    if (segment === undefined) {
      this.open.set(topic, { id, events: 1, records: record })
    } else if (segment.records.length + record.length > SEGMENT_CHARS_MAX) {
      this.rows.push({ topic, ...segment, records: `[${segment.records}]` })
      this.open.set(topic, { id, events: 1, records: record })
    } else {
      segment.events += 1
      segment.records += `,${record}`
    }
  }

  /** Keeps a fact for when the transaction has committed. */
  tell(channel: Facts<EmittedFact>, fact: EmittedFact): void {
    this.told.push({ channel, fact })
  }

  publish(): void {
    for (const { channel, fact } of this.told.splice(0)) channel.publish(fact)
  }

  /** All segments in the order of writing within each topic; starts afresh. */
  take(): readonly OutboxRow[] {
    const rows = this.rows
    for (const [topic, segment] of this.open) rows.push({ topic, ...segment, records: `[${segment.records}]` })
    this.rows = []
    this.open.clear()
    return rows
  }
}
