import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Dispersion, tailEvidence } from './tail.ts'

test('evidence is what the binomial distribution says of it', () => {
  // 30 instead of 10 in 1,000, with a usual share that is all but known: P(X ≥ 30) = 2.4 · 10⁻⁷, 5.0 deviations.
  const evidence = tailEvidence({ count: 1_000, above: 30 }, { count: 1e9, above: 1e7 })
  assert.ok(evidence > 4.8 && evidence < 5.3, `${evidence}`)
})

test('equal shares are no evidence, a smaller one is negative, and less that is known makes it weaker', () => {
  assert.ok(Math.abs(tailEvidence({ count: 500, above: 5 }, { count: 2_000, above: 20 })) < 1e-5)
  assert.ok(tailEvidence({ count: 5_000, above: 10 }, { count: 5_000, above: 50 }) < -4)
  const known = tailEvidence({ count: 1_000, above: 30 }, { count: 100_000, above: 1_000 })
  assert.ok(tailEvidence({ count: 1_000, above: 30 }, { count: 1_000, above: 10 }) < known)
})

test('none above the threshold on either side is no evidence', () => {
  assert.equal(tailEvidence({ count: 100, above: 0 }, { count: 100, above: 0 }), 0)
})

test('blocks that vary as chance has it have a dispersion of 1, those that move together more', () => {
  const nothing = new Dispersion()
  const [calm, wild] = [new Dispersion(), new Dispersion()]
  for (const deviation of [-3, 3, -3, 3, 0, 0]) {
    calm.add({ count: 1_000, above: 10 + deviation }, 0.01)
    wild.add({ count: 1_000, above: 10 + 3 * deviation }, 0.01)
  }
  const assumed = { above: 0, dispersion: 1 }
  assert.equal(calm.with(nothing, assumed), 1)
  assert.ok(wild.with(nothing, assumed) > 5)
  assert.ok(wild.with(nothing, { above: 600, dispersion: 1 }) < 2)
})
