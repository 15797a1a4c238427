import type { AnyEventType, ConsumerDeclaration, ConsumerTarget, EventEnvelope, EventType } from '../core/index.ts'
import type { Cluster, Transaction } from '../data/index.ts'
import { CALL_CONCURRENCY_MAX } from './limits.ts'

/** An event with what the consumer's `call` answered for it. */
export type Delivery<Payload, Result = undefined> = {
  readonly event: EventEnvelope<Payload>
  readonly result: Result
  /** The group has had it before: an operator replays it. */
  readonly isReplay: boolean
}

/** `tx` runs on the shard of the consumer's target; what is emitted through it commits with the effects. */
export type ConsumerContext = { readonly tx: Transaction; readonly cluster: Cluster }

/** Where a consumer's group begins, and what it does when it is replayed: see `ConsumerDeclaration`. */
export type ConsumerOptions = {
  readonly target?: ConsumerTarget
  readonly from?: 'earliest' | 'latest'
  readonly replay?: 'run' | 'skip'
}

export type CallContext = {
  /** Aborts when the call has taken too long or the process stops. */
  readonly signal: AbortSignal
  readonly cluster: Cluster
  /** Only where the consumer asks for replays. */
  readonly isReplay: boolean
}

/**
 * Handles events of one type, one per call. Effects through `tx` happen exactly once; a handler that throws is run
 * again later for that event, and later events of the same key wait behind it.
 */
export function on<Payload>(
  type: EventType<Payload>,
  handler: (
    event: EventEnvelope<Payload>,
    context: ConsumerContext & Pick<Delivery<Payload>, 'isReplay'>,
  ) => Promise<void>,
  options: ConsumerOptions = {},
): ConsumerDeclaration {
  const apply = async (deliveries: readonly Delivery<Payload>[], context: ConsumerContext) => {
    for (const { event, isReplay } of deliveries) await handler(event, { ...context, isReplay })
  }
  return { target: 'key', ...options, event: type, batch: false, apply }
}

/**
 * Handles events of one type in batches of 1..4000, in order per key, with one transaction for all: the way to speed. A
 * batch that fails is run again in halves until the culprit is alone, so the handler must have no effect outside of
 * `tx`.
 *
 * `call` is for an effect outside of the database. It runs before the transaction, once per event and attempt, calls of
 * one key in order; after a crash it runs again, so pass `event.id` on as the idempotency key. One that throws fails
 * its event.
 */
export function onBatch<Payload, Result = undefined>(
  type: EventType<Payload>,
  handler: (deliveries: readonly Delivery<Payload, Result>[], context: ConsumerContext) => Promise<void>,
  options: ConsumerOptions & {
    readonly call?: (event: EventEnvelope<Payload>, context: CallContext) => Promise<Result>
    readonly callsMax?: number
  } = {},
): ConsumerDeclaration {
  return { target: 'key', ...options, event: type, batch: true, apply: handler }
}

/** A consumer as delivery sees it: payloads were checked by the event's schema before they get here. */
export type Consumer = {
  readonly type: AnyEventType
  readonly target: ConsumerTarget
  readonly apply: (deliveries: readonly Delivery<unknown, unknown>[], context: ConsumerContext) => Promise<void>
  readonly call: ((event: EventEnvelope, context: CallContext) => Promise<unknown>) | undefined
  readonly from: 'earliest' | 'latest'
  readonly replay: 'run' | 'skip'
  readonly callsMax: number
}

/** Gives a declaration, whose payload types are erased, the types that delivery works with. */
export function consumerOf(declaration: ConsumerDeclaration): Consumer {
  return {
    type: declaration.event,
    target: declaration.target,
    apply: declaration.apply as Consumer['apply'],
    call: declaration.call as Consumer['call'],
    from: declaration.from ?? 'earliest',
    callsMax: Math.max(1, declaration.callsMax ?? CALL_CONCURRENCY_MAX),
    replay: declaration.replay ?? (declaration.call === undefined ? 'run' : 'skip'),
  }
}
