import { type ConsumerContext, type Delivery, emit, onBatch, service } from 'groundswell'
import { OrderPlaced, OrderRejected } from '../orders/contract.ts'
import { isCancelled, rememberCancelled } from './cancellations.ts'
import { PaymentAuthorized, PaymentDeclined, RefundDue } from './contract.ts'
import { cancelPayments, type PaymentRow, recordCharges, recordRefunds } from './payment.ts'
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
          const { userId, totalCents, cardToken } = payload
          if (await isCancelled(cluster, payload)) return 'cancelled'
          return connect(cluster).charge({ idempotencyKey: id, userId, amountCents: totalCents, cardToken, signal })
        },
      }),
      onBatch(OrderRejected, cancelOrders),
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

async function cancelOrders(deliveries: readonly Delivery<OrderRejected>[], { tx, cluster }: ConsumerContext) {
  const traces = tracesOf(deliveries)
  const orders = deliveries.map(({ event }) => event.payload)
  const payments = await cancelPayments(tx, orders)
  for (const payment of payments) if (payment.state === 'refunding') announceRefund(tx, payment, traces)
  const cancelled = payments.filter(({ state }) => state === 'cancelled').map(({ orderId }) => orderId)
  tx.afterCommit(() => rememberCancelled(cluster, cancelled))
}

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
