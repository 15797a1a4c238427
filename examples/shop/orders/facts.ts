import { bucketOf, emit, type Transaction } from 'groundswell'
import { joinByIndex } from '../index-joins.ts'
import { OrderConfirmed, OrderRejected, type PricedLine, type RejectionReason } from './contract.ts'

/**
 * What other services report about orders, and what follows from it. The order service is the process manager:
 *
 *     placed ──payment authorized and stock reserved, in whatever order──▶ confirmed ──shipment dispatched──▶ shipped
 *       └─────payment declined or stock rejected, whichever is first──────▶ rejected
 *
 * The first word of each service counts. Facts that come late or twice are noted or ignored, and move nothing.
 */
export type Fact = {
  readonly orderId: string
  readonly userId: number
  /** When it happened, Unix epoch milliseconds. */
  readonly atMs: number
  readonly traceparent: string
} & (
  | { readonly payment: 'authorized' | 'declined' }
  | { readonly stock: 'reserved' | 'rejected' }
  | { readonly shipped: true }
)

/** Notes the facts, one statement for all, and announces the orders that they confirmed or rejected. */
export async function applyFacts(tx: Transaction, facts: readonly Fact[]): Promise<void> {
  const news = foldFacts(facts)
  joinByIndex(tx)
  const moved = await tx.query<MovedOrder>(APPLY, [
    news.map(({ userId }) => bucketOf(userId)),
    news.map(({ orderId }) => orderId),
    news.map(({ payment }) => payment?.word ?? null),
    news.map(({ payment }) => payment?.atMs ?? null),
    news.map(({ stock }) => stock?.word ?? null),
    news.map(({ stock }) => stock?.atMs ?? null),
    news.map(({ shippedAtMs }) => shippedAtMs ?? null),
  ])
  const traces = new Map(news.map(({ orderId, traceparent }) => [orderId, { traceparent }]))
  for (const { orderId, userId, status, email, name, reason, lines, totalCents } of moved) {
    const trace = traces.get(orderId) ?? { traceparent: '' }
    if (status === 'confirmed') {
      emit(tx, OrderConfirmed, { orderId, userId, name }, trace)
    } else {
      const priced = JSON.parse(lines) as PricedLine[]
      emit(tx, OrderRejected, { orderId, userId, email, name, reason, lines: priced, totalCents }, trace)
    }
  }
}

/** All that a batch says about one order. */
export type OrderNews = {
  readonly orderId: string
  readonly userId: number
  readonly traceparent: string
  payment?: { readonly word: 'authorized' | 'declined'; readonly atMs: number }
  stock?: { readonly word: 'reserved' | 'rejected'; readonly atMs: number }
  shippedAtMs?: number
}

/**
 * One entry an order, sorted by order id, so that two transactions that touch the same orders never wait for each
 * other. The first word on each subject counts.
 */
export function foldFacts(facts: readonly Fact[]): readonly OrderNews[] {
  const news = new Map<string, OrderNews>()
  for (const fact of facts) {
    const { orderId, userId, atMs, traceparent } = fact
    const order = news.get(orderId) ?? { orderId, userId, traceparent }
    news.set(orderId, order)
    if ('payment' in fact) order.payment ??= { word: fact.payment, atMs }
    else if ('stock' in fact) order.stock ??= { word: fact.stock, atMs }
    else order.shippedAtMs ??= atMs
  }
  return [...news.values()].sort((a, b) => (a.orderId < b.orderId ? -1 : 1))
}

type MovedOrder = {
  readonly orderId: string
  readonly userId: number
  readonly status: 'confirmed' | 'rejected'
  readonly email: string
  readonly name: string
  /** These three only of rejected orders. */
  readonly reason: RejectionReason
  readonly lines: string
  readonly totalCents: number
}

/**
 * `moved` says whether this update changed the status: RETURNING shows only the new row. The inner ORDER BY makes
 * rows be locked in one order.
 */
const APPLY = `
  WITH noted AS (
    UPDATE orders.orders AS o SET
      payment = coalesce(o.payment, f.payment),
      payment_at_ms = coalesce(o.payment_at_ms, f.payment_at_ms),
      stock = coalesce(o.stock, f.stock),
      stock_at_ms = coalesce(o.stock_at_ms, f.stock_at_ms),
      shipped_at_ms = coalesce(o.shipped_at_ms, f.shipped_at_ms),
      status = orders.next_status(
        o.status, coalesce(o.payment, f.payment), coalesce(o.stock, f.stock), f.shipped_at_ms IS NOT NULL),
      moved = o.status <> orders.next_status(
        o.status, coalesce(o.payment, f.payment), coalesce(o.stock, f.stock), f.shipped_at_ms IS NOT NULL),
      reason = CASE
        WHEN o.status <> 'placed' THEN o.reason
        WHEN f.stock = 'rejected' THEN 'sold_out'
        WHEN f.payment = 'declined' THEN 'payment_declined' END,
      decided_at_ms = CASE
        WHEN o.status <> 'placed' THEN o.decided_at_ms
        WHEN orders.next_status(o.status, coalesce(o.payment, f.payment), coalesce(o.stock, f.stock), false) <> 'placed'
        THEN greatest(o.payment_at_ms, f.payment_at_ms, o.stock_at_ms, f.stock_at_ms) END
    FROM (
      SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::bigint[], $7::bigint[])
        AS fact (bucket, order_id, payment, payment_at_ms, stock, stock_at_ms, shipped_at_ms)
      ORDER BY order_id
    ) AS f
    WHERE o.bucket = f.bucket AND o.order_id = f.order_id
    RETURNING o.order_id, o.user_id, o.status, o.reason, o.total_cents, o.moved,
      CASE WHEN o.status = 'rejected' THEN o.lines END AS lines, o.bucket
  )
  SELECT order_id AS "orderId", noted.user_id AS "userId", email, name, status, reason, lines,
    total_cents AS "totalCents"
  FROM noted LEFT JOIN orders.customer AS c ON c.bucket = noted.bucket AND c.user_id = noted.user_id
  WHERE moved AND status IN ('confirmed', 'rejected')`
