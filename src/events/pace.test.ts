import assert from 'node:assert/strict'
import { test } from 'node:test'
import { LINGER_FACTOR_MAX, PACE_BUSY, PACE_SATURATED } from './limits.ts'
import { lingerFactor } from './pace.ts'

test('with time to spare nothing lingers longer, saturated everything by the largest factor, and in between evenly', () => {
  assert.equal(lingerFactor(0), 1)
  assert.equal(lingerFactor(PACE_BUSY), 1)
  assert.equal(lingerFactor((PACE_BUSY + PACE_SATURATED) / 2), (1 + LINGER_FACTOR_MAX) / 2)
  assert.equal(lingerFactor(PACE_SATURATED), LINGER_FACTOR_MAX)
  assert.equal(lingerFactor(1), LINGER_FACTOR_MAX)
})
