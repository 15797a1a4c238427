import assert from 'node:assert/strict'
import { test } from 'node:test'
import { alwaysReady, answerProbe, type Readiness } from './health.ts'

const saying = (readiness: Readiness) => ({ readiness: () => readiness })

test('a process is alive whatever it waits for', () => {
  const health = saying({ status: 'unavailable', reason: 'no database answers' })
  assert.deepEqual(answerProbe('/livez', health), { status: 200, body: { status: 'alive' } })
})

test('what is not ready says why, and what works in part is ready', () => {
  const draining: Readiness = { status: 'draining', reason: 'asked to stop' }
  assert.deepEqual(answerProbe('/readyz', saying(draining)), { status: 503, body: draining })
  assert.deepEqual(answerProbe('/readyz', alwaysReady), { status: 200, body: { status: 'ready' } })
  const partial = answerProbe('/readyz', saying({ status: 'ready', degraded: ['shard 1'] }))
  assert.deepEqual(partial, { status: 200, body: { status: 'ready', degraded: ['shard 1'] } })
})

test('other paths are no probes', () => {
  assert.equal(answerProbe('/orders', alwaysReady), undefined)
})
