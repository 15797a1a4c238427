import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type CheckResult, HealthCounters } from './health-counters.ts'

const THRESHOLDS = { successes: 2, httpFailures: 3, tcpFailures: 2, timeouts: 1 }

function after(...results: readonly CheckResult[]) {
  const health = new HealthCounters()
  const changes = results.map((result) => health.report(result, THRESHOLDS))
  return { healthy: health.healthy, changes }
}

test('as many failures of one kind as its threshold says make it unhealthy', () => {
  assert.deepEqual(after('http-failure', 'http-failure', 'http-failure'), {
    healthy: false,
    changes: [false, false, true],
  })
  assert.equal(after('http-failure', 'tcp-failure', 'http-failure').healthy, true)
  assert.equal(after('timeout').healthy, false)
})

test('a success forgets failures, and a failure successes', () => {
  assert.equal(after('tcp-failure', 'success', 'tcp-failure').healthy, true)
  assert.equal(after('timeout', 'success', 'tcp-failure', 'success').healthy, false)
  assert.deepEqual(after('timeout', 'success', 'success'), { healthy: true, changes: [true, false, true] })
})

test('what has no threshold never changes anything, but forgets all the same', () => {
  const health = new HealthCounters()
  const off = { ...THRESHOLDS, successes: 0, timeouts: 0 }
  for (let index = 0; index < 9; index++) assert.equal(health.report('timeout', off), false)
  health.report('tcp-failure', off)
  health.report('success', off)
  assert.equal(health.report('tcp-failure', off), false)
})
