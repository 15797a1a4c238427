import { bucketOf, type ConsumerContext, type Delivery, emit, onBatch, service } from 'groundswell'
import { OrderConfirmed } from '../orders/contract.ts'
import { ShipmentDispatched } from './contract.ts'

/** Gets orders to their customers: a shipment exists once its order is paid and reserved, and is on its way at once. */
export const shipping = service('shipping-service', {
  summary: 'Gets orders to their customers',
  migrations: new URL('./migrations/', import.meta.url),
  emits: [ShipmentDispatched],
  // What is on its way is not sent once more when an operator has events replayed.
  consumers: [onBatch(OrderConfirmed, dispatch, { replay: 'skip' })],
})

async function dispatch(deliveries: readonly Delivery<OrderConfirmed>[], { tx }: ConsumerContext): Promise<void> {
  const shipments = deliveries.map(({ event: { payload, traceparent } }) => {
    return { ...payload, traceparent, trackingNumber: trackingNumberOf(payload.orderId) }
  })
  void tx.query(DISPATCH, [
    shipments.map(({ userId }) => bucketOf(userId)),
    shipments.map(({ orderId }) => orderId),
    shipments.map(({ userId }) => userId),
    shipments.map(({ name }) => name),
    shipments.map(({ trackingNumber }) => trackingNumber),
  ])
  for (const { orderId, userId, trackingNumber, traceparent } of shipments) {
    emit(tx, ShipmentDispatched, { orderId, userId, trackingNumber }, { traceparent })
  }
}

/** The carrier's number: made from the order's id, so that a repeated booking is the same booking. */
function trackingNumberOf(orderId: string): string {
  return `GS${orderId.replaceAll('-', '').slice(-16).toUpperCase()}`
}

const DISPATCH = `
  INSERT INTO shipping.shipment (bucket, order_id, user_id, recipient, tracking_number)
  SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::text[], $5::text[])`
