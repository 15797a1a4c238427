import {
  bucketOf,
  type ConsumerContext,
  type Delivery,
  fingerprintOf,
  handle,
  idempotencyKeyOf,
  newId,
  onBatch,
  problem,
  type RouteCall,
  reply,
  service,
  systemClock,
} from 'groundswell'
import { ProductChanged } from '../catalog/contract.ts'
import { StockRejected, StockReserved } from '../inventory/contract.ts'
import { PaymentAuthorized, PaymentDeclined } from '../payments/contract.ts'
import { ShipmentDispatched } from '../shipping/contract.ts'
import { UserRegistered } from '../users/contract.ts'
import { getOrder, listOrders, OrderConfirmed, OrderPlaced, OrderRejected, placeOrder } from './contract.ts'
import { applyFacts, type Fact } from './facts.ts'
import { type Asking, isCustomer, learnCustomer, learnProducts } from './learning.ts'
import { type Placement, type PlacementOutcome, placeOrders } from './placement.ts'
import { storeCustomers, storeProducts } from './projection.ts'
import { findOrder, pageOfOrders } from './reading.ts'

/** Accepts orders and sees them through: the only service that knows what an order's state is. */
export const orders = service('order-service', {
  summary: 'Accepts orders and sees them through',
  migrations: new URL('./migrations/', import.meta.url),
  emits: [OrderPlaced, OrderConfirmed, OrderRejected],
  routes: [
    handle(placeOrder, async (call) => {
      const placement = placementOf(call)
      const shard = call.data.forKey(placement.userId)
      let outcome = await shard.write(placeOrders, placement)
      if (outcome.kind === 'unknown') {
        const missing = await learn(call, placement, outcome)
        if (missing !== undefined) return missing
        outcome = await shard.write(placeOrders, placement)
      }
      return answerOf(outcome)
    }),
    handle(getOrder, async ({ params, data }) => {
      const order = await findOrder(data, params.orderId)
      if (order !== undefined) return reply(200, order)
      return problem(404, `there is no order ${params.orderId}`, { code: 'ORDER_UNKNOWN' })
    }),
    handle(listOrders, async (call) => {
      const { params, query, data } = call
      const page = await pageOfOrders(data, params.id, query)
      if (page === 'bad cursor') return problem(400, 'the cursor is not one of ours', { code: 'CURSOR_INVALID' })
      if (page.orders.length > 0 || (await isCustomer(call, params.id))) return reply(200, page)
      return problem(404, `there is no user ${params.id}`, { code: 'USER_UNKNOWN' })
    }),
  ],
  consumers: [
    onBatch(UserRegistered, (deliveries, { tx }) =>
      storeCustomers(
        tx,
        deliveries.map(({ event }) => event.payload),
      ),
    ),
    onBatch(
      ProductChanged,
      (deliveries, { tx }) =>
        storeProducts(
          tx,
          deliveries.map(({ event }) => event.payload),
        ),
      {
        target: 'every-shard',
      },
    ),
    onBatch(PaymentAuthorized, noteReports),
    onBatch(PaymentDeclined, noteReports),
    onBatch(StockReserved, noteReports),
    onBatch(StockRejected, noteReports),
    onBatch(ShipmentDispatched, noteReports),
  ],
})

function placementOf({ body, headers, context }: RouteCall<typeof placeOrder.spec>): Placement {
  const key = idempotencyKeyOf(headers)
  return {
    ...body,
    orderId: newId(bucketOf(body.userId)),
    key: key === undefined ? undefined : { value: key, fingerprint: fingerprintOf(body) },
    placedAtMs: systemClock.now(),
    traceparent: context.traceparent,
  }
}

function answerOf(outcome: PlacementOutcome) {
  if (outcome.kind === 'accepted') {
    return reply(202, outcome.response, { location: `/orders/${outcome.response.orderId}` })
  }
  if (outcome.kind === 'key-reused') {
    return problem(422, 'this Idempotency-Key came with another order before', {
      code: 'SERVICE_IDEMPOTENCY_KEY_REUSED',
    })
  }
  // Learnt a moment ago and gone again: only a database restored to an earlier state does that.
  return problem(503, 'the customer or a product is not known here yet; try again', { code: 'ORDER_NOT_READY' })
}

/** Learns from the owners what the shard lacks. Answers a refusal when they do not know it either. */
async function learn(asking: Asking, { userId }: Placement, { customer, skus }: Unknown) {
  if (customer && !(await learnCustomer(asking, userId))) {
    return problem(422, `there is no user ${userId}`, { code: 'USER_UNKNOWN' })
  }
  if (skus.length === 0) return undefined
  const missing = await learnProducts(asking, userId, skus)
  if (missing.length === 0) return undefined
  return problem(422, `there is no product ${missing.join(', ')}`, { code: 'PRODUCT_UNKNOWN' })
}

type Unknown = Extract<PlacementOutcome, { kind: 'unknown' }>

type Report = { readonly orderId: string; readonly userId: number }

/** What each kind of report says about its order. */
const WORDS = new Map([
  [PaymentAuthorized.name, { payment: 'authorized' } as const],
  [PaymentDeclined.name, { payment: 'declined' } as const],
  [StockReserved.name, { stock: 'reserved' } as const],
  [StockRejected.name, { stock: 'rejected' } as const],
  [ShipmentDispatched.name, { shipped: true } as const],
])

/** The consumer of all reports: those of a batch, of whatever kinds, come together and are noted by one statement. */
function noteReports(deliveries: readonly Delivery<Report>[], { tx }: ConsumerContext): Promise<void> {
  const facts = deliveries.flatMap(({ event }): readonly Fact[] => {
    const { orderId, userId } = event.payload
    const word = WORDS.get(event.type)
    return word === undefined
      ? []
      : [{ orderId, userId, atMs: event.occurredAtMs, traceparent: event.traceparent, ...word }]
  })
  return applyFacts(tx, facts)
}
