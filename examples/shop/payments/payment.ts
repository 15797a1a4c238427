import { type BatchWrite, bucketOf, type Transaction } from 'groundswell'

import { joinByIndex } from '../index-joins.ts'

/**
 * The shop's side of a payment. States of an order's payment:
 *
 *     (none) ──charge approved──▶ authorized ──order rejected──▶ refunding ──refund made──▶ refunded
 *       ├──────charge declined──▶ declined
 *       └──────order rejected───▶ cancelled ──charge approved all the same──▶ refunding
 *
 * Both events of an order can come first. Each write is one upsert that locks the row, so of two that race the later
 * one sees the earlier, and money that was taken for a rejected order always ends up due for refund.
 */
export type PaymentState = 'authorized' | 'declined' | 'cancelled' | 'refunding' | 'refunded'

export type Charge = {
  readonly orderId: string
  readonly userId: number
  readonly amountCents: number
  readonly chargeKey: string
  readonly state: 'authorized' | 'declined'
}

/** Records charges. Answers the new state of those that it changed. */
export async function recordCharges(tx: Transaction, charges: readonly Charge[]): Promise<readonly PaymentRow[]> {
  if (charges.length === 0) return []
  const sorted = byOrder(charges)
  return tx.query<PaymentRow>(RECORD_CHARGES, [
    ...keysOf(sorted),
    sorted.map(({ amountCents }) => amountCents),
    sorted.map(({ chargeKey }) => chargeKey),
    sorted.map(({ state }) => state),
  ])
}

/** Records that orders were rejected. Answers those now due for refund, and those cancelled before their charge. */
export async function cancelPayments(tx: Transaction, orders: readonly OrderKey[]): Promise<readonly PaymentRow[]> {
  return tx.query<PaymentRow>(CANCEL, keysOf(byOrder(orders)))
}

/** Records that the money is back with the customer. */
export async function recordRefunds(tx: Transaction, orders: readonly OrderKey[]): Promise<void> {
  const [buckets, orderIds] = keysOf(byOrder(orders))
  joinByIndex(tx)
  await tx.query(RECORD_REFUNDS, [buckets, orderIds])
}

/** Whether an order's payment was cancelled before it was charged. Concurrent questions share one statement. */
export const findCancelled: BatchWrite<OrderKey, boolean> = {
  name: 'payments.find-cancelled',
  run: async (tx, orders) => {
    const [buckets, orderIds] = keysOf(orders)
    const rows = await tx.query<{ order_id: string }>(FIND_CANCELLED, [buckets, orderIds])
    const cancelled = new Set(rows.map((row) => row.order_id))
    return orders.map(({ orderId }) => cancelled.has(orderId))
  },
}

export type OrderKey = { readonly orderId: string; readonly userId: number }

export type PaymentRow = {
  readonly orderId: string
  readonly userId: number
  readonly amountCents: number
  readonly chargeKey: string
  readonly state: PaymentState
}

/** In one order everywhere, so that two transactions never wait for each other. */
function byOrder<T extends OrderKey>(orders: readonly T[]): readonly T[] {
  return orders.toSorted((a, b) => (a.orderId < b.orderId ? -1 : 1))
}

function keysOf(orders: readonly OrderKey[]): [number[], string[], number[]] {
  return [
    orders.map(({ userId }) => bucketOf(userId)),
    orders.map(({ orderId }) => orderId),
    orders.map(({ userId }) => userId),
  ]
}

const ROW = `payment.order_id AS "orderId", payment.user_id AS "userId", payment.amount_cents AS "amountCents",
  payment.charge_key AS "chargeKey", payment.state`

const RECORD_CHARGES = `
  INSERT INTO payments.payment AS payment (bucket, order_id, user_id, amount_cents, charge_key, state)
  SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::bigint[], $5::uuid[], $6::text[])
  ON CONFLICT (bucket, order_id) DO UPDATE
  SET state = 'refunding', amount_cents = excluded.amount_cents, charge_key = excluded.charge_key
  WHERE payment.state = 'cancelled' AND excluded.state = 'authorized'
  RETURNING ${ROW}`

const CANCEL = `
  INSERT INTO payments.payment AS payment (bucket, order_id, user_id, amount_cents, state)
  SELECT bucket, order_id, user_id, 0, 'cancelled'
  FROM unnest($1::smallint[], $2::uuid[], $3::bigint[]) AS rejected (bucket, order_id, user_id)
  ON CONFLICT (bucket, order_id) DO UPDATE SET state = 'refunding' WHERE payment.state = 'authorized'
  RETURNING ${ROW}`

const RECORD_REFUNDS = `
  UPDATE payments.payment SET state = 'refunded'
  FROM (SELECT * FROM unnest($1::smallint[], $2::uuid[]) AS refund (bucket, order_id) ORDER BY order_id) AS refund
  WHERE payment.bucket = refund.bucket AND payment.order_id = refund.order_id AND payment.state = 'refunding'`

/** LATERAL with OFFSET keeps this an index lookup per order, whatever the planner believes about the table's size. */
const FIND_CANCELLED = `
  SELECT found.order_id FROM unnest($1::smallint[], $2::uuid[]) AS wanted (bucket, order_id)
  CROSS JOIN LATERAL (
    SELECT order_id, state FROM payments.payment AS p
    WHERE p.bucket = wanted.bucket AND p.order_id = wanted.order_id OFFSET 0) AS found
  WHERE found.state = 'cancelled'`
