import assert from 'node:assert/strict'
import { test } from 'node:test'
import { drainSeconds, type ProgressFacts, progressOf, progressWords } from './progress.ts'

const behind: ProgressFacts = {
  lag: 1_200,
  oldestAgeSeconds: 40,
  isPaused: false,
  writtenPerSecond: 100,
  consumedPerSecond: 120,
}

test('the time to drain is what waits by how much faster it goes out than in', () => {
  assert.deepEqual(progressOf(behind), { kind: 'drains', inSeconds: 60 })
  assert.equal(progressWords(progressOf({ ...behind, consumedPerSecond: 220 })), '10\u202fs')
})

test('what comes in faster than it goes out grows, also while nothing goes out', () => {
  assert.equal(progressWords(progressOf({ ...behind, consumedPerSecond: 100 })), 'grows')
  assert.equal(progressWords(progressOf({ ...behind, consumedPerSecond: 0 })), 'grows')
  assert.equal(progressWords(progressOf({ ...behind, writtenPerSecond: 0, consumedPerSecond: 0 })), 'stands still')
})

test('what is on its way is not behind, however much it is, and a paused group is not measured', () => {
  assert.equal(progressWords(progressOf({ ...behind, oldestAgeSeconds: 0.4 })), 'keeps up')
  assert.equal(progressWords(progressOf({ ...behind, lag: 0, oldestAgeSeconds: 0 })), 'keeps up')
  assert.equal(progressWords(progressOf({ ...behind, isPaused: true })), 'paused')
})

test('by the time to drain, what never ends is last', () => {
  const ordered = [behind, { ...behind, lag: 0 }, { ...behind, consumedPerSecond: 0 }].map(progressOf).map(drainSeconds)
  assert.deepEqual(ordered, [60, 0, Number.POSITIVE_INFINITY])
})
