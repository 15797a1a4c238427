import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Sample } from './sample.ts'
import { growthOf, SAMPLES_MIN } from './verdict.ts'

const FLAT: Omit<Sample, 'atSeconds'> = {
  acceptP99Ms: 20,
  acceptP99WorstMs: 40,
  endToEndP99Ms: 150,
  eventsBehind: 100,
  oldestBehindSeconds: 0.1,
  eventsMiB: 300,
  bytesPerOrder: 1_500,
  deadTuples: 200_000,
  nodeMiB: 250,
  postgresMiB: 400,
}

/** Thirty minutes, a sample each half a minute. */
const soak = (at: (index: number) => Partial<Sample>) =>
  Array.from({ length: 60 }, (_, index): Sample => ({ ...FLAT, atSeconds: 30 * (index + 1), ...at(index) }))
const growing = (samples: readonly Sample[], warmUpSeconds = 300) =>
  growthOf(samples, warmUpSeconds)
    .filter(({ isFlat }) => !isFlat)
    .map(({ measure }) => measure)

test('memory that grows by half a MiB a sample is found, and by how much an hour', () => {
  const samples = soak((index) => ({ nodeMiB: 250 + index + (index % 2) }))
  assert.deepEqual(growing(samples), ['memory of node, MiB'])
  const { perHour = 0 } = growthOf(samples, 300).find(({ measure }) => measure.startsWith('memory of node')) ?? {}
  assert.ok(perHour > 115 && perHour < 125, `${perHour}`)
})

test('what grows while it warms up, saws, or has an outlier is flat', () => {
  assert.deepEqual(growing(soak((index) => ({ nodeMiB: index < 10 ? 100 + 15 * index : 250 }))), [])
  assert.deepEqual(growing(soak((index) => ({ deadTuples: 100_000 + 20_000 * (index % 8) }))), [])
  assert.deepEqual(growing(soak((index) => (index === 57 ? { acceptP99Ms: 900 } : {}))), [])
})

test('a run that is too short to have slopes is not called flat', () => {
  assert.deepEqual(growthOf(soak(() => ({})).slice(0, SAMPLES_MIN - 1), 0), [])
})
