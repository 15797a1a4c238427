import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram } from './index.ts'

/** Deterministic pseudo-random numbers in 0..1 (xorshift32), so that a failure can be run again. */
function randomSequence(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

function nearestRank(sorted: readonly number[], fraction: number): number {
  return sorted[Math.max(1, Math.ceil(fraction * sorted.length)) - 1] ?? 0
}

const FRACTIONS = [0, 0.001, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1]

test('every quantile is within 1 % of the exact one, over nine orders of magnitude', () => {
  const seed = (Date.now() & 0x7fff_ffff) | 1
  const random = randomSequence(seed)
  const histogram = new Histogram()
  const values = Array.from({ length: 20_000 }, () => Math.floor(10 ** (random() * 9)))
  for (const value of values) histogram.record(value)
  values.sort((a, b) => a - b)
  for (const fraction of FRACTIONS) {
    const exact = nearestRank(values, fraction)
    const error = Math.abs(histogram.quantile(fraction) - exact) / exact
    assert.ok(error <= 0.01, `quantile ${fraction}: ${histogram.quantile(fraction)} for ${exact}, seed ${seed}`)
  }
})

test('values under 128 are exact', () => {
  const histogram = new Histogram()
  for (let value = 0; value < 128; value++) histogram.record(value)
  assert.equal(histogram.quantile(0.5), 63)
  assert.equal(histogram.quantile(0.25), 31)
  assert.equal(histogram.min, 0)
  assert.equal(histogram.max, 127)
})

test('merging two histograms equals recording everything in one', () => {
  const [left, right, both] = [new Histogram(), new Histogram(), new Histogram()]
  for (let value = 1; value <= 1000; value++) {
    const part = value % 3 === 0 ? left : right
    part.record(value * 17)
    both.record(value * 17)
  }
  left.merge(right)
  assert.deepEqual(left.summary(), both.summary())
})

test('the maximum and the minimum are exact, even beyond the last bucket', () => {
  const histogram = new Histogram()
  histogram.record(123_457)
  histogram.record(2 ** 40)
  assert.equal(histogram.min, 123_457)
  assert.equal(histogram.max, 2 ** 40)
  assert.equal(histogram.quantile(1), 2 ** 40)
})

test('an empty histogram answers zeros, before and after a reset', () => {
  const histogram = new Histogram()
  assert.equal(histogram.summary().p99, 0)
  histogram.record(5)
  histogram.reset()
  assert.deepEqual(histogram.summary(), new Histogram().summary())
})

test('a negative value counts as 0 and a fraction outside 0..1 is refused', () => {
  const histogram = new Histogram()
  histogram.record(-3)
  assert.equal(histogram.quantile(0.5), 0)
  assert.throws(() => histogram.quantile(99), /not between 0 and 1/)
})
