import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../testing/index.ts'
import {
  LINGER_FACTOR_MAX,
  PACE_BUSY,
  PACE_IDLE,
  PACE_SAMPLE_MS,
  PACE_SATURATED,
  PACE_TRANSACTIONS_FEW,
  PACE_TRANSACTIONS_MANY,
} from './limits.ts'
import { lingerFactor, Pace } from './pace.ts'

test('with time to spare nothing lingers, saturated everything does by the largest factor, and in between evenly', () => {
  const of = (utilization: number) => lingerFactor(utilization, 0)
  assert.equal(of(0), 0)
  assert.equal(of(PACE_IDLE), 0)
  assert.equal(of((PACE_IDLE + PACE_BUSY) / 2).toFixed(6), '0.500000')
  assert.equal(of(PACE_BUSY), 1)
  assert.equal(of((PACE_BUSY + PACE_SATURATED) / 2), (1 + LINGER_FACTOR_MAX) / 2)
  assert.equal(of(PACE_SATURATED), LINGER_FACTOR_MAX)
  assert.equal(of(1), LINGER_FACTOR_MAX)
})

test('many transactions linger, though there is time to spare, and never more than a busy process does', () => {
  const between = (PACE_TRANSACTIONS_FEW + PACE_TRANSACTIONS_MANY) / 2
  assert.equal(lingerFactor(0, PACE_TRANSACTIONS_FEW), 0)
  assert.equal(lingerFactor(0, between).toFixed(6), '0.500000')
  assert.equal(lingerFactor(PACE_BUSY / 2, PACE_TRANSACTIONS_MANY), 1)
  assert.equal(lingerFactor(0, 10 * PACE_TRANSACTIONS_MANY), 1)
  assert.equal(lingerFactor(PACE_SATURATED, 10 * PACE_TRANSACTIONS_MANY), LINGER_FACTOR_MAX)
})

test('a process that asks often lingers longer, until it asks seldom', async () => {
  const pace = new Pace()
  const ask = (times: number) => {
    for (let count = 1; count < times; count++) pace.factor()
    return pace.factor()
  }
  await until(() => ask(PACE_TRANSACTIONS_MANY) >= 1)
  await until(() => ask(1) === 0)
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
