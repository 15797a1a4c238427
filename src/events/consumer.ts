import type { AnyEventType, ConsumerDeclaration, ConsumerTarget, EventEnvelope, EventType } from '../core/index.ts'
import type { Cluster, Transaction } from '../data/index.ts'

/** An event with what the consumer's `call` answered for it. */
export type Delivery<Payload, Result = undefined> = {
  readonly event: EventEnvelope<Payload>
  readonly result: Result
}

/** `tx` runs on the shard of the consumer's target; what is emitted through it commits with the effects. */
export type ConsumerContext = { readonly tx: Transaction; readonly cluster: Cluster }

export type CallContext = {
  /** Aborts when the call has taken too long or the process stops. */
  readonly signal: AbortSignal
  readonly cluster: Cluster
}

/**
 * Handles events of one type, one per call. Effects through `tx` happen exactly once; a handler that throws is run
 * again later for that event, and later events of the same key wait behind it.
 */
export function on<Payload>(
  type: EventType<Payload>,
  handler: (event: EventEnvelope<Payload>, context: ConsumerContext) => Promise<void>,
  options: { readonly target?: ConsumerTarget } = {},
): ConsumerDeclaration {
  const apply = async (deliveries: readonly Delivery<Payload>[], context: ConsumerContext) => {
    for (const { event } of deliveries) await handler(event, context)
  }
  return { event: type, target: options.target ?? 'key', batch: false, apply }
}

/**
 * Handles events of one type in batches of 1..4000, in order per key, with one transaction for all: the way to speed. A
 * batch that fails is run again in halves until the culprit is alone, so the handler must have no effect outside of
 * `tx`.
 *
 * Events of several types that are given the same handler come to it together, in one call for a batch.
 *
 * `call` is for an effect outside of the database. It runs before the transaction, once per event and attempt, calls of
 * one key in order; after a crash it runs again, so pass `event.id` on as the idempotency key. One that throws fails
 * its event.
 */
export function onBatch<Payload, Result = undefined>(
  type: EventType<Payload>,
  handler: (deliveries: readonly Delivery<Payload, Result>[], context: ConsumerContext) => Promise<void>,
  options: {
    readonly target?: ConsumerTarget
    readonly call?: (event: EventEnvelope<Payload>, context: CallContext) => Promise<Result>
  } = {},
): ConsumerDeclaration {
  const { target = 'key', call } = options
  return { event: type, target, batch: true, apply: handler, ...(call === undefined ? {} : { call }) }
}

/** A consumer as delivery sees it: payloads were checked by the event's schema before they get here. */
export type Consumer = {
  readonly type: AnyEventType
  readonly target: ConsumerTarget
  readonly apply: (deliveries: readonly Delivery<unknown, unknown>[], context: ConsumerContext) => Promise<void>
  readonly call: ((event: EventEnvelope, context: CallContext) => Promise<unknown>) | undefined
}

/** Gives a declaration, whose payload types are erased, the types that delivery works with. */
export function consumerOf(declaration: ConsumerDeclaration): Consumer {
  return {
    type: declaration.event,
    target: declaration.target,
    apply: declaration.apply as Consumer['apply'],
    call: declaration.call as Consumer['call'],
  }
}
