import type { Span } from '../src/telemetry/index.ts'

/** The spans of an order that ships, each with the one that caused it; `client` is who asked the gateway. */
export const ORDER_TREE: readonly string[] = [
  'client → gateway: POST /orders (server)',
  'gateway: POST /orders → order-service: POST /orders (server)',
  'inventory-service: inventory-service order.placed → inventory-service: outbox stock.reserved (producer)',
  'inventory-service: inventory-service order.placed → order-service: order-service stock.reserved (consumer)',
  'order-service: POST /orders → email-service: email-service order.placed (consumer)',
  'order-service: POST /orders → inventory-service: inventory-service order.placed (consumer)',
  'order-service: POST /orders → order-service: outbox order.placed (producer)',
  'order-service: POST /orders → payment-service: payment-service order.placed (consumer)',
  'order-service: whichever came last → order-service: outbox order.confirmed (producer)',
  'order-service: whichever came last → shipping-service: shipping-service order.confirmed (consumer)',
  'payment-service: payment-service order.placed → order-service: order-service payment.authorized (consumer)',
  'payment-service: payment-service order.placed → payment-service: outbox payment.authorized (producer)',
  'payment-service: payment-service order.placed → payment-service: payment-service order.placed call (client)',
  'shipping-service: shipping-service order.confirmed → order-service: order-service shipment.dispatched (consumer)',
  'shipping-service: shipping-service order.confirmed → shipping-service: outbox shipment.dispatched (producer)',
]

/** Edges of the tree that begins with the client's span, sorted. What hangs nowhere shows as `nobody`. */
export function treeOf(spans: readonly Span[], clientSpanId: string): readonly string[] {
  const names = new Map(spans.map(({ spanId, service, name }) => [spanId, `${service}: ${name}`]))
  names.set(clientSpanId, 'client')
  return spans
    .map(({ parentSpanId, service, name, kind }) => {
      const parent = names.get(parentSpanId ?? '') ?? 'nobody'
      return `${isConfirmation(name) ? eitherOf(parent) : parent} → ${service}: ${name} (${kind})`
    })
    .sort()
}

/** Payment and stock race; the later of the two confirms the order. */
function isConfirmation(name: string): boolean {
  return name.endsWith(' order.confirmed')
}

function eitherOf(parent: string): string {
  return parent.replace(
    /^order-service: order-service (payment\.authorized|stock\.reserved)$/,
    'order-service: whichever came last',
  )
}
