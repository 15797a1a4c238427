import { type EventEnvelope, type EventType, newId, systemClock } from '../core/index.ts'
import { bucketOf } from '../data/index.ts'
import { eventsError } from './errors.ts'

/** An event with its identity. `payload` is as it was given, `envelope.payload` what the type's schema made of it. */
export type CheckedEvent<Payload = unknown> = {
  readonly type: EventType<Payload>
  readonly payload: Payload
  readonly envelope: EventEnvelope<Payload>
}

/** Makes an event of a payload. Throws EVENTS_PAYLOAD_INVALID. */
export function checkedEvent<Payload>(
  type: EventType<Payload>,
  payload: Payload,
  { traceparent }: { readonly traceparent: string },
): CheckedEvent<Payload> {
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
  const envelope = {
    id: newId(bucket),
    type: type.name,
    version: type.version,
    key: String(key),
    bucket,
    payload: checked.data,
    traceparent,
    occurredAtMs: systemClock.now(),
  }
  return { type, payload, envelope }
}
