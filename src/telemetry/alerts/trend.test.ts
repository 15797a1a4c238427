import assert from 'node:assert/strict'
import { test } from 'node:test'
import { trendOf } from './trend.ts'

test('a straight line has its slope, and all pairs agree', () => {
  assert.deepEqual(trendOf([1, 3, 5, 7]), { slope: 2, agreement: 1 })
  assert.deepEqual(trendOf([7, 5, 3]), { slope: -2, agreement: -1 })
})

test('outliers move the slope of a line hardly', () => {
  const { slope } = trendOf([0, 1, 2, 90, 4, 5, 6, 7, -50, 9])
  assert.equal(slope, 1)
})

test('no value, and one, have no trend', () => {
  assert.deepEqual(trendOf([]), { slope: 0, agreement: 0 })
  assert.deepEqual(trendOf([5]), { slope: 0, agreement: 0 })
})
