import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ago, bytes, count, duration, percent, rate, shortInstance, text } from './format.ts'

test('figures have the digits that matter, in the unit that fits', () => {
  assert.deepEqual(
    [0, 0.4567, 8.25, 34.4, 999, 1_234, 65_000, 7_200_000].map((ms) => text(duration(ms)).replace('\u202f', ' ')),
    ['0 ms', '0.46 ms', '8.3 ms', '34 ms', '999 ms', '1.2 s', '1.1 min', '2.0 h'],
  )
  assert.deepEqual(
    [12, 4_321, 123_456, 2_500_000].map((n) => text(count(n))),
    ['12', '4,321', '123k', '2.5M'],
  )
  assert.deepEqual(
    [0, 0.5, 7.25, 1_820].map((n) => text(rate(n))),
    ['0/s', '0.50/s', '7.3/s', '1,820/s'],
  )
  assert.deepEqual(
    [0, 0.04, 64.6].map((n) => text(percent(n))),
    ['0%', '0.04%', '65%'],
  )
  assert.equal(text(bytes(226.4 * 2 ** 20)).replace('\u202f', ' '), '226 MiB')
})

test('what is not known is a dash, not nought', () => {
  assert.deepEqual([duration(undefined), count(Number.NaN), rate(undefined)].map(text), ['–', '–', '–'])
})

test('how long ago is in one unit', () => {
  assert.deepEqual(
    [500, 12_000, 240_000, 7_200_000].map((elapsedMs) => ago(1e12, 1e12 + elapsedMs)),
    ['now', '12 s ago', '4 min ago', '2 h ago'],
  )
})

test('an instance is shown without the random part of its start', () => {
  assert.equal(shortInstance('pod-7f:4102:9a31c2'), 'pod-7f:4102')
  assert.equal(shortInstance('lonely'), 'lonely')
})
