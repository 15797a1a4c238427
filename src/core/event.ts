import type { z } from 'zod'

/** A key decides order and place: integers are ids (`bucket = id mod 5040`), text is hashed first. */
export type Key = number | string

/**
 * A kind of event: immutable facts that carry all a consumer needs. The name is also the topic. A change that old
 * consumers cannot read is a new version.
 */
export type EventType<Payload = unknown> = {
  readonly name: string
  readonly version: number
  readonly schema: z.ZodType<Payload>
  readonly key: (payload: Payload) => Key
}

/** An event type whose payload does not matter: what lists of them hold. */
export type AnyEventType = Omit<EventType, 'key'> & { readonly key: (payload: never) => Key }

const EVENT_NAME = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$/

/**
 * Declares a kind of event: `event('order.placed', 1, z.object({ … }), { key: (order) => order.userId })`. Events of
 * one key are delivered in the order in which they were written.
 */
export function event<Payload>(
  name: string,
  version: number,
  schema: z.ZodType<Payload>,
  options: { readonly key: (payload: Payload) => Key },
): EventType<Payload> {
  if (!EVENT_NAME.test(name)) throw new Error(`event name "${name}" must look like "order.placed"`)
  if (!Number.isInteger(version) || version < 1)
    throw new Error(`event ${name}: version must be 1 or more, is ${version}`)
  return { name, version, schema, key: options.key }
}

/** One event as a consumer sees it. */
export type EventEnvelope<Payload = unknown> = {
  /** UUIDv7; the idempotency key for external effects. */
  readonly id: string
  readonly type: string
  readonly version: number
  readonly key: string
  readonly bucket: number
  readonly payload: Payload
  /** Names the span of whoever handles it: hand it on with what follows from the event. */
  readonly traceparent: string
  /** When the business transaction wrote it, Unix epoch milliseconds. */
  readonly occurredAtMs: number
}
