import { type BatchWrite, bucketOf, type Cluster, newId, systemClock, type Transaction } from 'groundswell'
import type { NewOrder } from './contract.ts'

/**
 * An order as a shop without events does it: everything before the answer, in three ordinary transactions. The order is
 * durable before money moves (1), stock is taken under its row's lock (2), the rest is written together (3).
 * Statements of one transaction go out without waiting for each other, and stock is locked in the order of the SKUs,
 * as good code would. The provider's own books are those of the shop, batched as there, since a provider elsewhere
 * costs both arms the same.
 */
export type Checkout =
  | { readonly kind: 'done'; readonly orderId: string; readonly status: 'shipped' | 'rejected' }
  | { readonly kind: 'unknown'; readonly what: string }

type Customer = { readonly email: string; readonly name: string }
type PricedLine = { readonly sku: string; readonly quantity: number; readonly priceCents: number }
type Order = {
  readonly orderId: string
  readonly userId: number
  readonly bucket: number
  readonly customer: Customer
  readonly lines: readonly PricedLine[]
  readonly totalCents: number
  readonly cardToken: string
}

export async function checkOut(data: Cluster, request: NewOrder): Promise<Checkout> {
  const order = await priced(data, request)
  if (typeof order === 'string') return { kind: 'unknown', what: order }
  const shard = data.forKey(order.userId)
  const { orderId } = order

  await shard.transaction(async (tx) => void (await insertOrder(tx, order)))
  const charged = await shard.write(charge, order)
  if (!charged) {
    await shard.query(REJECT, [order.bucket, orderId, 'payment_declined'])
    return { kind: 'done', orderId, status: 'rejected' }
  }
  const taken = await data.home.transaction((tx) => takeStock(tx, order))
  if (!taken) {
    await shard.write(refund, order)
    await shard.query(REJECT, [order.bucket, orderId, 'sold_out'])
    return { kind: 'done', orderId, status: 'rejected' }
  }
  await shard.transaction((tx) => complete(tx, order))
  return { kind: 'done', orderId, status: 'shipped' }
}

/** The order with its customer and prices, or what is unknown. */
async function priced(data: Cluster, { userId, lines, cardToken }: NewOrder): Promise<Order | string> {
  const bucket = bucketOf(userId)
  const [customers, products] = await Promise.all([
    data.forKey(userId).query<Customer>(CUSTOMER, [bucket, userId]),
    data.home.query<{ sku: string; priceCents: number }>(PRICES, [lines.map(({ sku }) => sku)]),
  ])
  const customer = customers[0]
  if (customer === undefined) return `user ${userId}`
  const prices = new Map(products.map(({ sku, priceCents }) => [sku, priceCents]))
  const unknown = lines.find(({ sku }) => !prices.has(sku))
  if (unknown !== undefined) return `product ${unknown.sku}`
  const pricedLines = lines.map(({ sku, quantity }) => ({ sku, quantity, priceCents: prices.get(sku) ?? 0 }))
  const totalCents = pricedLines.reduce((sum, { quantity, priceCents }) => sum + quantity * priceCents, 0)
  return { orderId: newId(bucket), userId, bucket, customer, lines: pricedLines, totalCents, cardToken }
}

function insertOrder(tx: Transaction, order: Order) {
  const { bucket, orderId, userId, lines, totalCents } = order
  return tx.query(INSERT_ORDER, [bucket, orderId, userId, JSON.stringify(lines), totalCents, systemClock.now()])
}

/**
 * All lines or none. The reservation goes ahead without being waited for, so that stock is locked as briefly as can be.
 */
async function takeStock(tx: Transaction, { orderId, lines }: Order): Promise<boolean> {
  const wanted = lines.toSorted((a, b) => (a.sku < b.sku ? -1 : 1))
  const reserved = tx.query(RESERVE, [orderId, JSON.stringify(wanted)])
  const taken: PricedLine[] = []
  for (const line of wanted) {
    const [, rows] = await Promise.all([reserved, tx.query(TAKE, [line.sku, line.quantity])])
    if (rows.length > 0) taken.push(line)
    else break
  }
  if (taken.length === wanted.length) return true
  for (const { sku, quantity } of taken) await tx.query(GIVE_BACK, [sku, quantity])
  await tx.query(UNRESERVE, [orderId])
  return false
}

/** Payment, mail, shipment and the order's last state, together. */
async function complete(
  tx: Transaction,
  { bucket, orderId, userId, customer, totalCents, lines }: Order,
): Promise<void> {
  const subject = `Your order ${orderId}`
  const body = `Hello ${customer.name}, we have shipped: ${lines.map(({ sku, quantity }) => `${quantity} × ${sku}`).join(', ')}.`
  await Promise.all([
    tx.query(INSERT_PAYMENT, [bucket, orderId, userId, totalCents]),
    tx.query(INSERT_MESSAGE, [bucket, orderId, customer.email, subject, body]),
    tx.query(INSERT_SHIPMENT, [bucket, orderId, customer.name, `GS-${orderId}`]),
    tx.query(SHIP, [bucket, orderId]),
  ])
}

const charge: BatchWrite<Order, boolean> = {
  name: 'sync-shop.charge',
  run: async (tx, orders) => {
    void tx.query(CHARGE, [
      orders.map(({ bucket }) => bucket),
      orders.map(({ orderId }) => orderId),
      orders.map(({ totalCents }) => totalCents),
      orders.map(({ cardToken }) => (cardToken === 'tok_visa' ? 'charged' : 'declined')),
    ])
    return orders.map(({ cardToken }) => cardToken === 'tok_visa')
  },
}

const refund: BatchWrite<Order, undefined> = {
  name: 'sync-shop.refund',
  run: async (tx, orders) => {
    void tx.query(REFUND, [orders.map(({ bucket }) => bucket), orders.map(({ orderId }) => orderId)])
    return orders.map(() => undefined)
  },
}

const CUSTOMER = 'SELECT email, name FROM people.users WHERE bucket = $1 AND user_id = $2'
const PRICES = 'SELECT sku, price_cents AS "priceCents" FROM goods.product WHERE sku = ANY ($1::text[])'
const INSERT_ORDER = `
  INSERT INTO orders.orders (bucket, order_id, user_id, lines, total_cents, status, placed_at_ms)
  VALUES ($1, $2, $3, $4, $5, 'placed', $6)`
const TAKE = 'UPDATE goods.stock SET available = available - $2 WHERE sku = $1 AND available >= $2 RETURNING available'
const GIVE_BACK = 'UPDATE goods.stock SET available = available + $2 WHERE sku = $1'
const RESERVE = 'INSERT INTO goods.reservation (order_id, lines) VALUES ($1, $2)'
const UNRESERVE = 'DELETE FROM goods.reservation WHERE order_id = $1'
const INSERT_PAYMENT = `
  INSERT INTO orders.payment (bucket, order_id, user_id, amount_cents, state) VALUES ($1, $2, $3, $4, 'authorized')`
const INSERT_MESSAGE = `
  INSERT INTO orders.message (bucket, order_id, recipient, subject, body) VALUES ($1, $2, $3, $4, $5)`
const INSERT_SHIPMENT = `
  INSERT INTO orders.shipment (bucket, order_id, recipient, tracking_number) VALUES ($1, $2, $3, $4)`
const SHIP = `UPDATE orders.orders SET status = 'shipped' WHERE bucket = $1 AND order_id = $2`
const REJECT = `UPDATE orders.orders SET status = 'rejected', reason = $3 WHERE bucket = $1 AND order_id = $2`
const CHARGE = `
  INSERT INTO orders.charge (bucket, idempotency_key, amount_cents, state)
  SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::text[])`
const REFUND = `
  UPDATE orders.charge SET state = 'refunded'
  FROM unnest($1::smallint[], $2::uuid[]) AS refund (bucket, order_id)
  WHERE charge.bucket = refund.bucket AND charge.idempotency_key = refund.order_id`
