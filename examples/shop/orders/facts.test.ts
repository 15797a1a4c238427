import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Fact, foldFacts } from './facts.ts'
import { historyOf } from './reading.ts'

const about = (orderId: string, atMs: number) => ({ orderId, userId: 1, atMs, traceparent: `trace ${orderId}` })

test('facts of one order become one entry, sorted by order, and the first word on a subject counts', () => {
  const facts: Fact[] = [
    { ...about('b', 1), payment: 'authorized' },
    { ...about('a', 2), stock: 'rejected' },
    { ...about('b', 3), stock: 'reserved' },
    { ...about('b', 4), payment: 'declined' },
    { ...about('a', 5), shipped: true },
  ]
  assert.deepEqual(foldFacts(facts), [
    { orderId: 'a', userId: 1, traceparent: 'trace a', stock: { word: 'rejected', atMs: 2 }, shippedAtMs: 5 },
    {
      orderId: 'b',
      userId: 1,
      traceparent: 'trace b',
      payment: { word: 'authorized', atMs: 1 },
      stock: { word: 'reserved', atMs: 3 },
    },
  ])
})

const placed = {
  status: 'placed',
  payment: null,
  stock: null,
  placed_at_ms: 10,
  payment_at_ms: null,
  stock_at_ms: null,
  decided_at_ms: null,
  shipped_at_ms: null,
} as const

const namesOf = (row: Parameters<typeof historyOf>[0]) => historyOf(row).map(({ status }) => status)

test('the history tells what happened in order of time', () => {
  assert.deepEqual(historyOf(placed), [{ status: 'placed', at: '1970-01-01T00:00:00.010Z' }])
  const shipped = { ...placed, status: 'shipped', payment: 'authorized', stock: 'reserved' } as const
  const times = { payment_at_ms: 30, stock_at_ms: 20, decided_at_ms: 30, shipped_at_ms: 40 }
  assert.deepEqual(namesOf({ ...shipped, ...times }), [
    'placed',
    'stock_reserved',
    'payment_authorized',
    'confirmed',
    'shipped',
  ])
})

test('a rejected order shows the word that decided and those that came too late', () => {
  const rejected = { ...placed, status: 'rejected', payment: 'authorized', stock: 'rejected' } as const
  assert.deepEqual(namesOf({ ...rejected, stock_at_ms: 20, decided_at_ms: 20, payment_at_ms: 30 }), [
    'placed',
    'stock_rejected',
    'rejected',
    'payment_authorized',
  ])
})
