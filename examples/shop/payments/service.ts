import { type ConsumerContext, type Delivery, emit, onBatch, service } from 'groundswell'
import { OrderPlaced, OrderRejected } from '../orders/contract.ts'
import { PaymentAuthorized, PaymentDeclined, RefundDue } from './contract.ts'
import { cancelPayments, findCancelled, type PaymentRow, recordCharges, recordRefunds } from './payment.ts'
import type { ConnectProvider } from './provider.ts'

/** Takes the money for orders, and gives back that of rejected ones. `connect` says through whom. */
export const paymentService = (connect: ConnectProvider) =>
  service('payment-service', {
    summary: 'Takes money for orders, and gives it back',
    migrations: new URL('./migrations/', import.meta.url),
    emits: [PaymentAuthorized, PaymentDeclined, RefundDue],
    consumers: [
      onBatch(OrderPlaced, recordAnswers, {
        call: async ({ id, payload }, { signal, cluster }): Promise<ChargeAnswer> => {
          const { orderId, userId, totalCents, cardToken } = payload
          if (await cluster.forKey(userId).write(findCancelled, { orderId, userId })) return 'cancelled'
          return connect(cluster).charge({ idempotencyKey: id, userId, amountCents: totalCents, cardToken, signal })
        },
      }),
      onBatch(OrderRejected, async (deliveries, { tx }) => {
        const traces = tracesOf(deliveries)
        for (const payment of await cancelPayments(
          tx,
          deliveries.map(({ event }) => event.payload),
        )) {
          announceRefund(tx, payment, traces)
        }
      }),
      onBatch<RefundDue, void>(
        RefundDue,
        async (deliveries, { tx }) =>
          recordRefunds(
            tx,
            deliveries.map(({ event }) => event.payload),
          ),
        {
          call: async ({ payload: { userId, chargeKey } }, { signal, cluster }) =>
            connect(cluster).refund({ userId, chargeKey, signal }),
        },
      ),
    ],
  })

type ChargeAnswer = 'approved' | 'declined' | 'cancelled'

async function recordAnswers(
  deliveries: readonly Delivery<OrderPlaced, ChargeAnswer>[],
  { tx }: ConsumerContext,
): Promise<void> {
  const traces = tracesOf(deliveries)
  const charges = deliveries.flatMap(({ event: { id, payload }, result }) => {
    if (result === 'cancelled') return []
    const { orderId, userId, totalCents } = payload
    const state = result === 'approved' ? ('authorized' as const) : ('declined' as const)
    return [{ orderId, userId, amountCents: totalCents, chargeKey: id, state }]
  })
  for (const payment of await recordCharges(tx, charges)) {
    const { orderId, userId, amountCents, state } = payment
    const fact = { orderId, userId, amountCents }
    if (state === 'authorized') emit(tx, PaymentAuthorized, fact, traceOf(traces, orderId))
    if (state === 'declined') emit(tx, PaymentDeclined, fact, traceOf(traces, orderId))
    if (state === 'refunding') announceRefund(tx, payment, traces)
  }
}

type Traces = ReadonlyMap<string, { readonly traceparent: string }>

function announceRefund(tx: ConsumerContext['tx'], payment: PaymentRow, traces: Traces): void {
  const { orderId, userId, amountCents, chargeKey } = payment
  emit(tx, RefundDue, { orderId, userId, amountCents, chargeKey }, traceOf(traces, orderId))
}

function tracesOf(deliveries: readonly Delivery<{ readonly orderId: string }, unknown>[]): Traces {
  return new Map(deliveries.map(({ event }) => [event.payload.orderId, event]))
}

function traceOf(traces: Traces, orderId: string): { readonly traceparent: string } {
  return traces.get(orderId) ?? { traceparent: '' }
}
