import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LINGER_FACTOR_MAX, LINGER_FACTOR_MIN, PACE_BUSY, PACE_IDLE, PACE_SATURATED } from './limits.ts'
import { lingerFactor } from './pace.ts'

test('with time to spare everything hardly lingers, saturated it does by the largest factor, and in between evenly', () => {
  assert.equal(lingerFactor(0), LINGER_FACTOR_MIN)
  assert.equal(lingerFactor(PACE_IDLE), LINGER_FACTOR_MIN)
  assert.equal(lingerFactor((PACE_IDLE + PACE_BUSY) / 2).toFixed(6), ((LINGER_FACTOR_MIN + 1) / 2).toFixed(6))
  assert.equal(lingerFactor(PACE_BUSY), 1)
  assert.equal(lingerFactor((PACE_BUSY + PACE_SATURATED) / 2), (1 + LINGER_FACTOR_MAX) / 2)
  assert.equal(lingerFactor(PACE_SATURATED), LINGER_FACTOR_MAX)
  assert.equal(lingerFactor(1), LINGER_FACTOR_MAX)
})
