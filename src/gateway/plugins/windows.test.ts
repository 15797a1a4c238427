import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundedIdentifier, PERIODS, WindowCounts, windowAt } from './windows.ts'

const iso = (ms: number) => new Date(ms).toISOString()

test('windows are periods of the calendar in UTC', () => {
  const now = Date.parse('2024-02-29T23:59:59.999Z')
  const spans = PERIODS.map((period) => windowAt(period, now))
  assert.deepEqual(
    spans.map((span) => iso(span.startsAtMs)),
    [
      '2024-02-29T23:59:59.000Z',
      '2024-02-29T23:59:00.000Z',
      '2024-02-29T23:00:00.000Z',
      '2024-02-29T00:00:00.000Z',
      '2024-02-01T00:00:00.000Z',
      '2024-01-01T00:00:00.000Z',
    ],
  )
  assert.deepEqual(
    spans.map((span) => iso(span.endsAtMs)),
    [...Array(5).fill('2024-03-01T00:00:00.000Z'), '2025-01-01T00:00:00.000Z'],
  )
})

test('counts end with their window', () => {
  const counts = new WindowCounts('minute')
  counts.enter(Date.parse('2024-01-01T00:00:00Z'))
  counts.increment('a')
  counts.enter(Date.parse('2024-01-01T00:00:59.999Z'))
  assert.equal(counts.count('a'), 1)
  counts.enter(Date.parse('2024-01-01T00:01:00Z'))
  assert.equal(counts.count('a'), 0)
})

test('a clock that goes back a little does not empty the window', () => {
  const counts = new WindowCounts('minute')
  counts.enter(Date.parse('2024-01-01T00:01:00Z'))
  counts.increment('a')
  counts.enter(Date.parse('2024-01-01T00:00:59Z'))
  assert.equal(counts.count('a'), 1)
})

test('identifiers beyond those counted apart share one count', () => {
  const counts = new WindowCounts('minute', 2)
  counts.enter(0)
  for (const identifier of ['a', 'b', 'c', 'd', 'a']) counts.increment(identifier)
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e'].map((identifier) => counts.count(identifier)),
    [2, 1, 2, 2, 2],
  )
})

test('long identifiers are hashed', () => {
  assert.equal(boundedIdentifier('127.0.0.1'), '127.0.0.1')
  assert.equal(boundedIdentifier('x'.repeat(10_000)).length, 43)
  assert.notEqual(boundedIdentifier('x'.repeat(10_000)), boundedIdentifier('x'.repeat(10_001)))
})
