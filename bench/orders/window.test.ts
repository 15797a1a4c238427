import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LoadReport } from '../../src/testing/index.ts'
import { judge } from './window.ts'

const report = {
  asked: 30_000,
  succeeded: 30_000,
  failed: 0,
  failures: {},
  dropped: 0,
  rateAchieved: 1_000,
  latencyMs: { p50: 5, p99: 50 },
  generator: { cpuPerRequestMicros: 50 },
} as unknown as LoadReport

const shortfalls = (half: number, end: number, change: Partial<LoadReport> = {}, stranded = 0) =>
  judge({
    rate: 1_000,
    report: { ...report, ...change },
    before: { placed: 0, final: 0 },
    atHalf: { placed: 15_000, final: 15_000 - half },
    atEnd: { placed: 30_000, final: 30_000 - end },
    elapsedMs: 30_000,
    drainMs: 0,
    stranded,
  }).shortfalls

test('a rate is sustained while what is under way is bounded and does not grow', () => {
  assert.deepEqual(shortfalls(0, 0), [])
  assert.deepEqual(shortfalls(1_200, 1_700), [])
  assert.deepEqual(shortfalls(1_200, 1_701), ['501 more orders behind than at half time'])
  assert.deepEqual(shortfalls(3_001, 3_001), ['3001 orders behind'])
})

test('nor is it sustained when orders were refused, not sent, or waited for long', () => {
  assert.deepEqual(shortfalls(0, 0, { succeeded: 29_000, rateAchieved: 967 }), ['achieved 967/s'])
  assert.deepEqual(shortfalls(0, 0, { failed: 31, failures: { '503': 31 } as never }), ['failed 31: 503'])
  assert.deepEqual(shortfalls(0, 0, { dropped: 1 }), ['dropped 1'])
  assert.deepEqual(shortfalls(0, 0, { latencyMs: { p50: 5, p99: 1_001 } as never }), ['P99 1001 ms'])
})

test('nor when orders of it never come to their end', () => {
  assert.deepEqual(shortfalls(0, 0, {}, 2), ['2 orders never came to their end'])
})
