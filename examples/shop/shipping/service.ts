import { bucketOf, type ConsumerContext, type Delivery, emit, onBatch, service } from 'groundswell'
import { OrderConfirmed, OrderPlaced, OrderRejected } from '../orders/contract.ts'
import { ShipmentDispatched } from './contract.ts'

/**
 * Gets orders to their customers. States of a shipment:
 *
 *     (none) ──order placed──▶ waiting ──order confirmed──▶ dispatched
 *                                └───────order rejected───▶ cancelled
 *
 * The decision on an order can arrive before the order; then the shipment begins in its final state, and the order,
 * when it comes, changes nothing.
 */
export const shipping = service('shipping-service', {
  summary: 'Gets orders to their customers',
  migrations: new URL('./migrations/', import.meta.url),
  emits: [ShipmentDispatched],
  consumers: [
    onBatch(OrderPlaced, async (deliveries, { tx }) => {
      await tx.query(PREPARE, [...keysOf(deliveries), deliveries.map(({ event }) => event.payload.name)])
    }),
    onBatch(OrderConfirmed, dispatch),
    onBatch(OrderRejected, async (deliveries, { tx }) => {
      await tx.query(CANCEL, keysOf(deliveries))
    }),
  ],
})

async function dispatch(deliveries: readonly Delivery<OrderConfirmed>[], { tx }: ConsumerContext): Promise<void> {
  const trackingNumbers = deliveries.map(({ event }) => trackingNumberOf(event.payload.orderId))
  const rows = await tx.query<{ order_id: string }>(DISPATCH, [...keysOf(deliveries), trackingNumbers])
  const dispatched = new Set(rows.map((row) => row.order_id))
  for (const { event } of deliveries) {
    const { orderId, userId } = event.payload
    if (!dispatched.has(orderId)) continue
    emit(tx, ShipmentDispatched, { orderId, userId, trackingNumber: trackingNumberOf(orderId) }, event)
  }
}

/** The carrier's number: made from the order's id, so that a repeated booking is the same booking. */
function trackingNumberOf(orderId: string): string {
  return `GS${orderId.replaceAll('-', '').slice(-16).toUpperCase()}`
}

function keysOf(deliveries: readonly Delivery<OrderConfirmed>[]): [number[], string[], number[]] {
  const orders = deliveries.map(({ event }) => event.payload)
  return [
    orders.map(({ userId }) => bucketOf(userId)),
    orders.map(({ orderId }) => orderId),
    orders.map(({ userId }) => userId),
  ]
}

const PREPARE = `
  INSERT INTO shipping.shipment (bucket, order_id, user_id, recipient, state)
  SELECT *, 'waiting' FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::text[]) AS placed ORDER BY 2
  ON CONFLICT (bucket, order_id) DO UPDATE SET recipient = excluded.recipient`

const DISPATCH = `
  INSERT INTO shipping.shipment AS shipment (bucket, order_id, user_id, tracking_number, state)
  SELECT *, 'dispatched' FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::text[]) AS confirmed ORDER BY 2
  ON CONFLICT (bucket, order_id) DO UPDATE
  SET state = 'dispatched', tracking_number = excluded.tracking_number WHERE shipment.state = 'waiting'
  RETURNING order_id`

const CANCEL = `
  INSERT INTO shipping.shipment AS shipment (bucket, order_id, user_id, state)
  SELECT *, 'cancelled' FROM unnest($1::smallint[], $2::uuid[], $3::bigint[]) AS rejected ORDER BY 2
  ON CONFLICT (bucket, order_id) DO UPDATE SET state = 'cancelled' WHERE shipment.state = 'waiting'`
