import assert from 'node:assert/strict'
import { test } from 'node:test'
import { limiterContract } from '../contract.ts'
import { CountedWindows, LocalCounts, localLimiter } from './local.ts'

limiterContract({
  name: 'this process',
  async open() {
    const counts = new Map<string, LocalCounts>()
    return {
      limiter(rules, name) {
        const known = counts.get(name) ?? new LocalCounts()
        counts.set(name, known)
        return localLimiter(rules, known)
      },
      stop: async () => undefined,
    }
  },
})

test('identifiers beyond those counted apart share a number, and the limit holds', () => {
  const windows = new CountedWindows('minute', 2)
  windows.enter(Date.parse('2024-01-01T00:00:00Z'))
  for (const identifier of ['a', 'b', 'c', 'd']) {
    windows.current.set(identifier, windows.current.get(identifier) + 1)
  }
  assert.deepEqual(
    ['a', 'b', 'c', 'd', 'e'].map((identifier) => windows.current.get(identifier)),
    [1, 1, 2, 2, 2],
  )
})

test('counts of the window before the last are forgotten', () => {
  const windows = new CountedWindows('minute')
  windows.enter(Date.parse('2024-01-01T00:00:00Z'))
  windows.current.set('a', 5)
  windows.enter(Date.parse('2024-01-01T00:01:00Z'))
  assert.deepEqual([windows.current.get('a'), windows.previous.get('a')], [0, 5])
  windows.enter(Date.parse('2024-01-01T00:03:00Z'))
  assert.deepEqual([windows.current.get('a'), windows.previous.get('a')], [0, 0])
})
