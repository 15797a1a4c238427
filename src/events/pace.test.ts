import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../testing/index.ts'
import { LINGER_FACTOR_MAX, LINGER_FACTOR_MIN, PACE_BUSY, PACE_IDLE, PACE_SAMPLE_MS, PACE_SATURATED } from './limits.ts'
import { lingerFactor, Pace } from './pace.ts'

test('with time to spare everything hardly lingers, saturated it does by the largest factor, and in between evenly', () => {
  assert.equal(lingerFactor(0), LINGER_FACTOR_MIN)
  assert.equal(lingerFactor(PACE_IDLE), LINGER_FACTOR_MIN)
  assert.equal(lingerFactor((PACE_IDLE + PACE_BUSY) / 2).toFixed(6), ((LINGER_FACTOR_MIN + 1) / 2).toFixed(6))
  assert.equal(lingerFactor(PACE_BUSY), 1)
  assert.equal(lingerFactor((PACE_BUSY + PACE_SATURATED) / 2), (1 + LINGER_FACTOR_MAX) / 2)
  assert.equal(lingerFactor(PACE_SATURATED), LINGER_FACTOR_MAX)
  assert.equal(lingerFactor(1), LINGER_FACTOR_MAX)
})

test('a process whose event loop is taken up lingers longer, and again no longer once it has time', async () => {
  const pace = new Pace()
  const busy = () => {
    const untilMs = performance.now() + PACE_SAMPLE_MS
    while (performance.now() < untilMs) Math.sqrt(untilMs)
  }
  await until(() => {
    busy()
    return pace.factor() > 1
  })
  await until(() => pace.factor() < 1)
})
