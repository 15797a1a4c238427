import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CircuitBreakerConfig } from '../config/upstream-entities.ts'
import { type BreakerState, CircuitBreaker } from './circuit-breaker.ts'

const CONFIG: CircuitBreakerConfig = {
  failures: 3,
  failure_ratio: null,
  requests_min: 10,
  open_time: 5,
  successes: 2,
  http_statuses: [500],
}

function breakerOf(config: Partial<CircuitBreakerConfig> = {}) {
  const moves: BreakerState[] = []
  return { moves, breaker: new CircuitBreaker({ ...CONFIG, ...config }, (state) => void moves.push(state)) }
}

function fail(breaker: CircuitBreaker, times: number, nowMs = 0): void {
  for (let index = 0; index < times; index++) breaker.failed(nowMs, breaker.began())
}

test('failures in a row open it, a success between them does not let them add up', () => {
  const { breaker, moves } = breakerOf()
  fail(breaker, 2)
  breaker.succeeded(0, breaker.began())
  fail(breaker, 2)
  assert.deepEqual([breaker.state, moves], ['closed', []])
  fail(breaker, 1)
  assert.deepEqual([breaker.state, breaker.admits(4_999), breaker.admits(5_000)], ['open', false, true])
})

test('too large a share of failures opens it, once there are enough requests', () => {
  const { breaker } = breakerOf({ failures: 100, failure_ratio: 0.5, requests_min: 10 })
  for (let index = 0; index < 4; index++) {
    breaker.succeeded(1_000, breaker.began())
    fail(breaker, 1, 1_000)
  }
  assert.equal(breaker.state, 'closed')
  breaker.succeeded(1_000, breaker.began())
  fail(breaker, 1, 1_000)
  assert.equal(breaker.state, 'open')
})

test('what is longer than ten seconds ago no longer counts for the share', () => {
  const { breaker } = breakerOf({ failures: 100, failure_ratio: 0.5, requests_min: 10 })
  fail(breaker, 9, 1_000)
  fail(breaker, 1, 12_000)
  assert.equal(breaker.state, 'closed')
})

test('half open it lets through no more than it needs, and their success closes it', () => {
  const { breaker, moves } = breakerOf()
  fail(breaker, 3)
  const first = breaker.began()
  const second = breaker.began()
  assert.equal(breaker.admits(6_000), false)
  breaker.succeeded(6_000, first)
  assert.equal(breaker.admits(6_000), false)
  breaker.succeeded(6_000, second)
  assert.deepEqual([breaker.admits(6_000), moves], [true, ['open', 'half-open', 'closed']])
})

test('one failure of a trial opens it again, and the other trial no longer counts', () => {
  const { breaker, moves } = breakerOf()
  fail(breaker, 3)
  const [first, second] = [breaker.began(), breaker.began()]
  breaker.failed(6_000, first)
  breaker.succeeded(6_000, second)
  assert.deepEqual([moves.at(-1), breaker.admits(10_999), breaker.admits(11_000)], ['open', false, true])
  const third = breaker.began()
  breaker.failed(12_000, second)
  assert.equal(breaker.state, 'half-open')
  breaker.succeeded(12_000, third)
  assert.equal(breaker.state, 'half-open')
})

test('a trial whose client left makes room for another', () => {
  const { breaker } = breakerOf({ successes: 1 })
  fail(breaker, 3)
  const trial = breaker.began()
  assert.equal(breaker.admits(6_000), false)
  breaker.abandoned(trial)
  assert.equal(breaker.admits(6_000), true)
})

test('what was sent before it opened changes nothing when it is answered later', () => {
  const { breaker } = breakerOf()
  const early = breaker.began()
  fail(breaker, 3)
  breaker.succeeded(100, early)
  breaker.failed(4_000, early)
  assert.deepEqual([breaker.state, breaker.admits(5_000)], ['open', true])
})

test('thresholds that change are in force at once: one that has been reached closes, a shorter wait ends sooner', () => {
  const { breaker, moves } = breakerOf({ successes: 3 })
  fail(breaker, 3)
  breaker.succeeded(5_000, breaker.began())
  assert.equal(breaker.state, 'half-open')
  breaker.configure({ ...CONFIG, successes: 1 })
  assert.deepEqual([breaker.state, breaker.admits(5_000), moves], ['closed', true, ['open', 'half-open', 'closed']])

  fail(breaker, 3, 6_000)
  assert.equal(breaker.admits(7_000), false)
  breaker.configure({ ...CONFIG, open_time: 1 })
  assert.equal(breaker.admits(7_000), true)
})
