import assert from 'node:assert/strict'
import { test } from 'node:test'
import { boundedIdentifier } from './identifier-numbers.ts'
import { PERIODS, windowAt, windowFrom } from './windows.ts'

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

test('a clock that goes back a little stays in its window, one that is set back does not', () => {
  const span = windowAt('minute', Date.parse('2024-01-01T00:01:00Z'))
  assert.equal(windowFrom(span, 'minute', Date.parse('2024-01-01T00:00:59Z')), span)
  const earlier = windowFrom(span, 'minute', Date.parse('2023-12-31T00:00:00Z'))
  assert.equal(iso(earlier.startsAtMs), '2023-12-31T00:00:00.000Z')
})

test('long identifiers are hashed', () => {
  assert.equal(boundedIdentifier('127.0.0.1'), '127.0.0.1')
  assert.equal(boundedIdentifier('x'.repeat(10_000)).length, 43)
  assert.notEqual(boundedIdentifier('x'.repeat(10_000)), boundedIdentifier('x'.repeat(10_001)))
})
