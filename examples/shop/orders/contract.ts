import { endpoints, event } from 'groundswell'
import { z } from 'zod'
import { Sku, UserId, UserIdText } from '../fields.ts'

const at = endpoints('order-service')

export const NewOrder = z.object({
  userId: UserId,
  lines: z
    .array(z.object({ sku: Sku, quantity: z.int().min(1).max(1_000) }))
    .min(1)
    .max(50),
  /** From the payment provider's form: the shop never sees a card. */
  cardToken: z.string().regex(/^tok_[a-z0-9_]{1,60}$/, 'must be a card token, like "tok_visa"'),
})
export type NewOrder = z.infer<typeof NewOrder>

export const Accepted = z.object({ orderId: z.string(), status: z.literal('placed') })
export type Accepted = z.infer<typeof Accepted>

const PricedLine = z.object({ sku: z.string(), quantity: z.int(), priceCents: z.int() })
export type PricedLine = z.infer<typeof PricedLine>

/** placed → confirmed → shipped, or placed → rejected. */
export const OrderStatus = z.enum(['placed', 'confirmed', 'shipped', 'rejected'])
export type OrderStatus = z.infer<typeof OrderStatus>

export const RejectionReason = z.enum(['payment_declined', 'sold_out'])
export type RejectionReason = z.infer<typeof RejectionReason>

/** What happened to an order, in order of time. */
export const HistoryEntry = z.object({
  status: z.enum([
    ...OrderStatus.options,
    'payment_authorized',
    'payment_declined',
    'stock_reserved',
    'stock_rejected',
  ]),
  at: z.iso.datetime(),
})
export type HistoryEntry = z.infer<typeof HistoryEntry>

const OrderSummary = z.object({
  orderId: z.string(),
  userId: UserId,
  status: OrderStatus,
  reason: RejectionReason.optional(),
  lines: z.array(PricedLine),
  totalCents: z.int(),
})
export type OrderSummary = z.infer<typeof OrderSummary>
const OrderDetails = OrderSummary.extend({ history: z.array(HistoryEntry) })

export const placeOrder = at.post('/orders', {
  summary: 'Place an order; safe to repeat under an Idempotency-Key',
  body: NewOrder,
  replies: { 202: Accepted },
  access: 'key',
})

export const getOrder = at.get('/orders/:orderId', {
  summary: 'An order and its history',
  params: z.object({ orderId: z.string().max(64) }),
  replies: { 200: OrderDetails },
  access: 'key',
})

export const listOrders = at.get('/users/:id/orders', {
  summary: 'A customer’s orders, newest first',
  params: z.object({ id: UserIdText }),
  query: z.object({
    cursor: z.string().max(200).optional(),
    limit: z.coerce.number().int().min(1).max(100).default(20),
  }),
  replies: { 200: z.object({ orders: z.array(OrderSummary), nextCursor: z.string().optional() }) },
  access: 'key',
})

/** All events of an order have its customer as key: what concerns one customer happens in order, on one shard. */
const byUser = { key: (order: { readonly userId: number }) => order.userId }

const PlacedOrder = z.object({
  orderId: z.string(),
  userId: UserId,
  email: z.string(),
  name: z.string(),
  lines: z.array(PricedLine),
  totalCents: z.int(),
  cardToken: z.string(),
  placedAtMs: z.int(),
})
export type OrderPlaced = z.infer<typeof PlacedOrder>
export const OrderPlaced = event('order.placed', 1, PlacedOrder, byUser)

/** Paid and reserved: all that it takes to ship it. */
const ConfirmedOrder = z.object({ orderId: z.string(), userId: UserId, name: z.string() })
export type OrderConfirmed = z.infer<typeof ConfirmedOrder>
export const OrderConfirmed = event('order.confirmed', 1, ConfirmedOrder, byUser)

const RejectedOrder = z.object({
  orderId: z.string(),
  userId: UserId,
  email: z.string(),
  name: z.string(),
  reason: RejectionReason,
  lines: z.array(PricedLine),
  totalCents: z.int(),
})
export type OrderRejected = z.infer<typeof RejectedOrder>
export const OrderRejected = event('order.rejected', 1, RejectedOrder, byUser)
