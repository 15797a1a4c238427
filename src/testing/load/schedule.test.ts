import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Arrivals, createSchedule } from './schedule.ts'

function timesOf(arrivals: Arrivals): number[] {
  const schedule = createSchedule(arrivals)
  const times: number[] = []
  for (; schedule.nextAtMs() !== Number.POSITIVE_INFINITY; schedule.advance()) times.push(schedule.nextAtMs())
  return times
}

test('a fixed rate is evenly spaced and exact in number, without drift', () => {
  const times = timesOf({ kind: 'fixed', rate: 3_000, durationMs: 10_000 })
  assert.equal(times.length, 30_000)
  assert.equal(times[0], 0)
  assert.equal(times[29_999], 29_999 / 3)
})

test('a rate under one a second is kept', () => {
  assert.deepEqual(timesOf({ kind: 'fixed', rate: 0.5, durationMs: 6_000 }), [0, 2_000, 4_000])
})

test('poisson arrivals are in order, inside the duration, and as many as the rate says', () => {
  const times = timesOf({ kind: 'poisson', rate: 1_000, durationMs: 20_000, seed: 7 })
  assert.deepEqual(
    times.toSorted((a, b) => a - b),
    times,
  )
  assert.ok((times.at(-1) ?? 0) < 20_000)
  // Six standard deviations of a Poisson count with mean 20,000.
  assert.ok(Math.abs(times.length - 20_000) < 6 * Math.sqrt(20_000), `${times.length} arrivals`)
})

test('gaps of poisson arrivals spread as much as their mean', () => {
  const times = timesOf({ kind: 'poisson', rate: 1_000, durationMs: 20_000, seed: 11 })
  const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
  const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length)
  assert.ok(Math.abs(deviation / mean - 1) < 0.1, `deviation ${deviation}, mean ${mean}`)
})

test('the same seed gives the same arrivals, another seed others', () => {
  const arrivals = { kind: 'poisson', rate: 100, durationMs: 1_000 } as const
  assert.deepEqual(timesOf({ ...arrivals, seed: 3 }), timesOf({ ...arrivals, seed: 3 }))
  assert.notDeepEqual(timesOf({ ...arrivals, seed: 3 }), timesOf({ ...arrivals, seed: 4 }))
})

test('a burst is everything at once', () => {
  assert.deepEqual(timesOf({ kind: 'burst', count: 4 }), [0, 0, 0, 0])
})
