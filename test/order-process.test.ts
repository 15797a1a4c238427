import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { StockRejected, StockReserved } from '../examples/shop/inventory/contract.ts'
import { OrderConfirmed, OrderRejected } from '../examples/shop/orders/contract.ts'
import { applyFacts, type Fact } from '../examples/shop/orders/facts.ts'
import { PaymentAuthorized, PaymentDeclined } from '../examples/shop/payments/contract.ts'
import { ShipmentDispatched } from '../examples/shop/shipping/contract.ts'
import { newId } from '../src/core/index.ts'
import { bucketOf, systemMigrations } from '../src/data/index.ts'
import { eventsMigrations, type JournalEntry, message, progressOf, saga } from '../src/events/index.ts'
import { startTestCluster } from '../src/testing/index.ts'

/**
 * The life of the shop's order as a saga. The shop writes it in SQL, for speed (docs/decisions/0017): this is what that
 * SQL must do.
 */
const Order = z.object({ orderId: z.string(), userId: z.int(), name: z.string() })
const process = saga('order', {
  data: Order,
  id: (order: { readonly orderId: string }) => order.orderId,
  key: (order: { readonly userId: number }) => order.userId,
  actions: {
    payment: { done: PaymentAuthorized, failed: PaymentDeclined, undo: 'announced' },
    stock: { done: StockReserved, failed: StockRejected, undo: 'announced' },
    shipment: {
      after: ['payment', 'stock'],
      request: (order) => message(OrderConfirmed, order),
      done: ShipmentDispatched,
    },
  },
})

const WORDS: readonly { readonly fact: object; readonly entry: JournalEntry }[] = [
  { fact: { payment: 'authorized' }, entry: ['payment', 'done', 0] },
  { fact: { payment: 'declined' }, entry: ['payment', 'failed', 0] },
  { fact: { stock: 'reserved' }, entry: ['stock', 'done', 0] },
  { fact: { stock: 'rejected' }, entry: ['stock', 'failed', 0] },
  { fact: { shipped: true }, entry: ['shipment', 'done', 0] },
]
const LENGTH = 4

test('for every sequence of words the SQL of the orders moves as the declared saga does, and tells of it once', async (context) => {
  const folder = new URL('../examples/shop/orders/migrations/', import.meta.url)
  const own = { owner: 'order-service', folder, placement: 'sharded' } as const
  const { cluster, stop } = await startTestCluster({ shards: 1, migrations: [systemMigrations, eventsMigrations, own] })
  context.after(stop)
  const sequences = Array.from({ length: WORDS.length ** LENGTH }, (_, n) => {
    const words = Array.from(
      { length: LENGTH },
      (__, place) => WORDS[Math.floor(n / WORDS.length ** place) % WORDS.length],
    )
    return { words, orderId: newId(bucketOf(7)), told: [] as string[] }
  })
  await cluster.home.query(CUSTOMER)
  await cluster.home.query(PLACE, [sequences.map(({ orderId }) => orderId)])
  for (let place = 0; place < LENGTH; place++) {
    const facts = sequences.map(({ orderId, words }): Fact => {
      return { orderId, userId: 7, atMs: place, traceparent: '', ...words[place]?.fact } as Fact
    })
    await cluster.home.transaction((tx) => applyFacts(tx, facts))
    const rows = await cluster.home.query<{ id: string; status: string }>(STATUS)
    const statuses = new Map(rows.map(({ id, status }) => [id, status]))
    for (const { orderId, words } of sequences) {
      const entries = words.slice(0, place + 1).flatMap((word) => (word === undefined ? [] : [word.entry]))
      assert.equal(statuses.get(orderId), statusOf(entries), JSON.stringify(entries))
    }
  }
  const told = await cluster.home.query<{ topic: string; events: number }>(TOLD)
  const counted = (topic: string) => told.find((row) => row.topic === topic)?.events
  const everConfirmed = sequences.filter(({ words }) => reaches(words, 'confirmed')).length
  const everRejected = sequences.filter(({ words }) => reaches(words, 'rejected')).length
  assert.deepEqual([counted(OrderConfirmed.name), counted(OrderRejected.name)], [everConfirmed, everRejected])
})

function reaches(words: readonly ((typeof WORDS)[number] | undefined)[], status: string): boolean {
  const entries = words.flatMap((word) => (word === undefined ? [] : [word.entry]))
  return entries.some((_, index) => statusOf(entries.slice(0, index + 1)) === status)
}

function statusOf(journal: readonly JournalEntry[]): string {
  const { status, actions } = progressOf(process.plan, journal)
  if (status === 'completed') return 'shipped'
  if (status === 'failed') return 'rejected'
  return actions.get('shipment') === 'asked' ? 'confirmed' : 'placed'
}

const CUSTOMER = `INSERT INTO orders.customer (bucket, user_id, email, name) VALUES (7, 7, 'ada@example.com', 'Ada')`

const PLACE = `
  INSERT INTO orders.orders (bucket, order_id, user_id, lines, total_cents, placed_at_ms)
  SELECT 7, id, 7, '[]', 0, 0 FROM unnest($1::uuid[]) AS id`

const STATUS = 'SELECT order_id AS id, status FROM orders.orders'

const TOLD = 'SELECT topic, sum(events)::int AS events FROM groundswell.outbox GROUP BY topic'
