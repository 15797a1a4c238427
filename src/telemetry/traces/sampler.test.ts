import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSampler } from './sampler.ts'

function standingClock() {
  let nowMs = 1_000_000
  const advance = (ms: number) => {
    nowMs += ms
  }
  return { now: () => nowMs, advance }
}

test('at a low rate every trace is kept', () => {
  const clock = standingClock()
  const sample = createSampler(20, clock)
  for (let request = 0; request < 1_000; request++) {
    assert.ok(sample())
    clock.advance(50)
  }
})

test('whatever the rate, no more are kept than the cap and one burst', () => {
  const clock = standingClock()
  const sample = createSampler(20, clock)
  let kept = 0
  for (let request = 0; request < 100_000; request++) {
    if (sample()) kept += 1
    if (request % 10 === 0) clock.advance(1)
  }
  assert.ok(kept <= 20 * 10 + 20 && kept >= 20 * 10, `${kept} in ten seconds`)
})

test('a clock that is put back opens no flood, and a cap of 0 keeps nothing', () => {
  const clock = standingClock()
  const sample = createSampler(5, clock)
  let kept = 0
  for (let request = 0; request < 100; request++) {
    if (sample()) kept += 1
    clock.advance(-10_000)
  }
  assert.equal(kept, 5)
  assert.equal(sample(), false)
  clock.advance(1_000)
  assert.ok(sample())
  assert.equal(createSampler(0)(), false)
})
