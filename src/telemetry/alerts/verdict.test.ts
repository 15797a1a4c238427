import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram } from '../histogram.ts'
import type { ServiceSecond, TrafficSecond } from '../second.ts'
import type { Alert } from '../view.ts'
import { Alerts } from './alerts.ts'
import { QUIET, START_MS } from './traffic-fixture.ts'
import { type Minute, type ServiceMinute, verdictOf } from './verdict.ts'

const NOTHING_ELSE = { firing: [], degradations: [] }
const orderSecond: ServiceSecond = {
  service: 'order-service',
  requests: 12_720,
  events: 0,
  deliveryAge: undefined,
  httpErrors: 0,
  applicationErrors: 0,
  databaseErrors: 0,
}
const orders: ServiceMinute = {
  service: 'order-service',
  requests: 12_720,
  events: 0,
  httpErrors: 0,
  applicationErrors: 0,
  databaseErrors: 0,
  gateway: { requests: 12_720, errors: 0 },
}
const shipped = {
  journey: 'order placed to shipped',
  count: 9_000,
  p99Ms: 410.4,
  usualMs: { low: 380, high: 450 },
}
const minute: Minute = { requestsPerSecond: 212, services: [orders], journeys: [shipped] }
const alert: Alert = {
  id: 'a',
  rule: 'latency-rise',
  state: 'firing',
  subject: 'POST /orders',
  message: 'P99 of POST /orders rose by 54 %.',
  sinceMs: START_MS,
  resolvedAtMs: undefined,
}

test('all is well: the journey with its usual P99, the throughput and that there are no errors', () => {
  assert.deepEqual(verdictOf(minute, NOTHING_ELSE), {
    state: 'healthy',
    sentence: 'Healthy. Order placed to shipped P99 410 ms (usual 380 ms–450 ms), 212 requests/s, no errors.',
  })
})

test('without traffic it says so', () => {
  const verdict = verdictOf({ requestsPerSecond: 0, services: [], journeys: [] }, NOTHING_ELSE)
  assert.deepEqual(verdict, { state: 'healthy', sentence: 'Healthy. No requests in the last minute, no errors.' })
})

test('a few errors are told, but make nothing degraded', () => {
  const { state, sentence } = verdictOf({ ...minute, services: [{ ...orders, httpErrors: 4 }] }, NOTHING_ELSE)
  assert.equal(state, 'healthy')
  assert.match(sentence, /, errors in the last minute: 4 HTTP\.$/)
})

test('a firing alert and a degradation make it degraded, the first is named and the others counted', () => {
  const degradations = [{ part: 'cache', message: 'Redis does not answer.', sinceMs: START_MS }]
  const { state, sentence } = verdictOf(minute, { firing: [alert], degradations })
  assert.equal(state, 'degraded')
  assert.match(sentence, /^Degraded: P99 of POST \/orders rose by 54 % \(and 1 more\)\. Order placed to shipped P99/)
})

test('one in a hundred answers with an error is degraded, one in ten is failing, before every alert', () => {
  const erring = (httpErrors: number) => verdictOf({ ...minute, services: [{ ...orders, httpErrors }] }, NOTHING_ELSE)
  assert.equal(erring(127).state, 'degraded')
  const failing = verdictOf(
    { ...minute, services: [{ ...orders, httpErrors: 1_272 }] },
    { firing: [alert], degradations: [] },
  )
  assert.equal(failing.state, 'failing')
  assert.match(
    failing.sentence,
    /^Failing: 10 % of the answers of order-service have status 500 or more \(1,272 of 12,720 in the last minute\) \(and 1 more\)\./,
  )
})

test('errors of a service that only consumes count by its events', () => {
  const email = { ...orders, service: 'email-service', requests: 0, events: 100, applicationErrors: 50 }
  const { state, sentence } = verdictOf({ ...minute, services: [email] }, NOTHING_ELSE)
  assert.equal(state, 'failing')
  assert.match(sentence, /50 % of the requests and events of email-service fail/)
})

test('one failed request is told once, by whoever counted more of them', () => {
  const erring = (httpErrors: number, errors: number) =>
    verdictOf({ ...minute, services: [{ ...orders, httpErrors, gateway: { requests: 12_720, errors } }] }, NOTHING_ELSE)
  const same = erring(1_272, 1_272)
  assert.match(
    same.sentence,
    /^Failing: 10 % of the answers of order-service have status 500 or more \(1,272 of [^)]*\)\./,
  )
  assert.match(same.sentence, /minute: 1,272 HTTP\.$/)
  const unreported = erring(100, 2_544)
  assert.match(
    unreported.sentence,
    /^Failing: 20 % of the answers of the gateway for order-service have [^(]*\([^)]*\)\./,
  )
  assert.match(unreported.sentence, /minute: 2,544 HTTP\.$/)
})

test('a service that is dead is failing by what the gateway answered for it', () => {
  const alerts = new Alerts()
  const histogram = new Histogram()
  for (let request = 0; request < 4; request++) histogram.record(2_000)
  const latency = histogram.encode()
  const traffic: readonly TrafficSecond[] = [
    { kind: 'service', id: 's1', name: 'order-service', latency, statuses: { '502': 3, '503': 1 } },
    { kind: 'route', id: 'r1', name: '', latency, statuses: { '502': 3, '503': 1 } },
    { kind: 'service', id: 's2', name: 'user-service', latency, statuses: { '404': 4 } },
  ]
  for (let second = 1; second <= 30; second++) {
    alerts.observe({ ...QUIET, atMs: START_MS + second * 1_000, all: latency, traffic })
  }
  const { state, sentence } = alerts.verdict([])
  assert.equal(state, 'failing')
  assert.equal(
    sentence,
    'Failing: 100 % of the answers of the gateway for order-service have status 500 or more (120 of 120 in the last ' +
      'minute). 4 requests/s, errors in the last minute: 120 HTTP.',
  )
})

test('seconds become the verdict of their last minute', () => {
  const alerts = new Alerts()
  const histogram = new Histogram()
  for (let request = 0; request < 10; request++) histogram.record(400_000)
  const latency = histogram.encode()
  for (let second = 1; second <= 600; second++) {
    const journeys = [{ journey: 'order placed to shipped', latency }]
    const httpErrors = second < 500 ? 3 : 0
    const services = [{ ...orderSecond, requests: 10, httpErrors }]
    alerts.observe({ ...QUIET, atMs: START_MS + second * 1_000, all: latency, journeys, services })
    if (second === 400) assert.equal(alerts.verdict([]).state, 'failing')
  }
  assert.match(
    alerts.verdict([]).sentence,
    /^Healthy\. Order placed to shipped P99 40\d ms \(usual 40\d ms–40\d ms\), 10 requests\/s, no errors\.$/,
  )
})
