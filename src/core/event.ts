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
  /** How events of the version before are read as this one. */
  readonly previous?: PreviousVersion
}

/** An event type whose payload does not matter: what lists of them hold. */
export type AnyEventType = Omit<EventType, 'key'> & { readonly key: (payload: never) => Key }

/** The version before, and what makes a payload of this version out of one of its own: pure, and never asks anybody. */
export type PreviousVersion = { readonly type: AnyEventType; readonly upcast: (payload: never) => unknown }

const EVENT_NAME = /^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$/

/**
 * Declares a kind of event: `event('order.placed', 1, z.object({ … }), { key: (order) => order.userId })`. Events of
 * one key are delivered in the order in which they were written.
 *
 * A new version names the one before, and what makes its payloads into new ones: `event('order.placed', 2, …, { key,
 * previous: { type: OrderPlacedV1, upcast: (old) => ({ ...old, currency: 'EUR' }) } })`. Consumers of the new version
 * then read every older one, step by step, each step checked by its version's schema.
 */
export function event<Payload, Previous = never>(
  name: string,
  version: number,
  schema: z.ZodType<Payload>,
  options: {
    readonly key: (payload: Payload) => Key
    readonly previous?: { readonly type: EventType<Previous>; readonly upcast: (payload: Previous) => NoInfer<Payload> }
  },
): EventType<Payload> {
  if (!EVENT_NAME.test(name)) throw new Error(`event name "${name}" must look like "order.placed"`)
  if (!Number.isInteger(version) || version < 1)
    throw new Error(`event ${name}: version must be 1 or more, is ${version}`)
  const { key, previous } = options
  if (previous === undefined) return { name, version, schema, key }
  if (previous.type.name !== name || previous.type.version >= version) {
    const { type } = previous
    throw new Error(`event ${name} v${version}: ${type.name} v${type.version} is no earlier version of it`)
  }
  return { name, version, schema, key, previous }
}

/** The versions that consumers of this type can read: its own first, then what upcasters lead back to. */
export function readableVersions(type: AnyEventType): readonly AnyEventType[] {
  const versions: AnyEventType[] = []
  for (let one: AnyEventType | undefined = type; one !== undefined; one = one.previous?.type) versions.push(one)
  return versions
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
