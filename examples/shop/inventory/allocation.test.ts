import assert from 'node:assert/strict'
import { test } from 'node:test'
import { allocate, skusOf } from './allocation.ts'

const order = (orderId: string, ...lines: [string, number][]) => ({
  orderId,
  lines: lines.map(([sku, quantity]) => ({ sku, quantity })),
})

test('who comes first gets it, and who comes too late gets nothing of anything', () => {
  const { allocations, taken } = allocate(
    new Map([
      ['a', 3],
      ['b', 1],
    ]),
    [order('1', ['a', 2]), order('2', ['b', 1], ['a', 2]), order('3', ['a', 1], ['b', 1]), order('4', ['a', 1])],
  )
  assert.deepEqual(allocations, [
    { orderId: '1', state: 'reserved' },
    { orderId: '2', state: 'rejected', sku: 'a' },
    { orderId: '3', state: 'reserved' },
    { orderId: '4', state: 'rejected', sku: 'a' },
  ])
  assert.deepEqual(
    [...taken],
    [
      ['a', 3],
      ['b', 1],
    ],
  )
})

test('an order that names a product twice needs the sum', () => {
  const { allocations } = allocate(new Map([['a', 3]]), [
    order('1', ['a', 2], ['a', 2]),
    order('2', ['a', 1], ['a', 2]),
  ])
  assert.deepEqual(
    allocations.map(({ state }) => state),
    ['rejected', 'reserved'],
  )
})

test('a product without stock of its own is sold out', () => {
  const { allocations, taken } = allocate(new Map(), [order('1', ['ghost', 1])])
  assert.deepEqual(allocations, [{ orderId: '1', state: 'rejected', sku: 'ghost' }])
  assert.equal(taken.size, 0)
})

test('SKUs are locked in one order, each once', () => {
  assert.deepEqual(skusOf([order('1', ['b', 1], ['a', 1]), order('2', ['b', 1], ['C', 1])]), ['C', 'a', 'b'])
})
