import assert from 'node:assert/strict'
import { test } from 'node:test'
import { app, endpoints } from '../core/index.ts'
import { appended, delivered, parked } from '../events/index.ts'
import { type RequestFinished, requestFinished } from '../gateway/index.ts'
import { requestFacts } from '../service/index.ts'
import type { Span } from '../telemetry/index.ts'
import { recordSpans } from './spans.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const SPAN = 'b7ad6b7169203331'
const CALLER = '00f067aa0ba902b7'
const kept = (span: string) => `00-${TRACE}-${span}-01`
const unkept = (span: string) => `00-${TRACE}-${span}-00`
const placeOrder = endpoints('order-service').post('/orders', { replies: { 202: null } })

/** What is recorded of these facts, as kept or as an error of a trace that is not. */
function recorded(publish: () => void) {
  const spans: Span[] = []
  const errors: Span[] = []
  const shop = app('shop', { services: [] })
  const end = recordSpans({ record: (span) => spans.push(span), recordError: (make) => errors.push(make()) }, shop)
  publish()
  end()
  return { spans, errors }
}

function finished(given: Partial<RequestFinished>): void {
  requestFinished.publish({
    method: 'POST',
    route: undefined,
    routeName: undefined,
    service: undefined,
    serviceName: undefined,
    consumer: undefined,
    plugin: undefined,
    status: 202,
    upstreamMs: undefined,
    totalMs: 5,
    bytes: 0,
    bytesIn: 0,
    requestId: `${TRACE.slice(16)}${SPAN}`,
    traceparent: undefined,
    parentSpanId: undefined,
    ...given,
  })
}

function answered(status: number, traceparent: string, parent: string): void {
  const { service, method, path } = placeOrder
  requestFacts.publish({ endpoint: placeOrder, service, method, path, status, durationMs: 3, traceparent, parent })
}

const event = { topic: 'order.placed', key: '7', id: 'e', durationMs: 2 }

test('of traces that are not kept nothing is recorded but failures, each as one span with an id of its own', () => {
  const { spans, errors } = recorded(() => {
    finished({ traceparent: unkept(SPAN) })
    answered(202, unkept(SPAN), unkept(SPAN))
    finished({ traceparent: unkept(SPAN), status: 503 })
    answered(503, unkept(SPAN), unkept(SPAN))
    const reason = { state: 'dead', attempts: 15, error: 'mail server away' } as const
    parked.publish({ ...event, group: 'email-service', traceparent: unkept(SPAN), parent: unkept(SPAN), ...reason })
  })
  assert.deepEqual(spans, [])
  assert.deepEqual(
    errors.map(({ service, parentSpanId, failed }) => [service, parentSpanId, failed]),
    [
      ['gateway', undefined, true],
      ['order-service', SPAN, true],
      ['email-service', SPAN, true],
    ],
  )
  assert.equal(errors[0]?.spanId, SPAN)
  assert.equal(new Set(errors.map(({ spanId }) => spanId)).size, 3)
  assert.equal(errors[2]?.attributes['error.message'], 'mail server away')
})

test('a request that reached no service is recorded under its own id if it failed', () => {
  const { spans, errors } = recorded(() => {
    finished({ status: 401 })
    finished({ status: 500 })
  })
  assert.deepEqual(spans, [])
  assert.deepEqual(
    errors.map(({ traceId, spanId, name }) => [traceId, spanId, name]),
    [[`${TRACE.slice(16)}${SPAN}`, SPAN, 'POST']],
  )
})

test('a span begins as long before its fact as the work took, and names its caller', () => {
  const { spans } = recorded(() => answered(202, kept(SPAN), kept(CALLER)))
  const [span] = spans
  assert.deepEqual([span?.traceId, span?.spanId, span?.parentSpanId], [TRACE, SPAN, CALLER])
  assert.deepEqual(
    [span?.name, span?.service, span?.kind, span?.failed],
    ['POST /orders', 'order-service', 'server', false],
  )
  const endedAtMs = (span?.startedAtMs ?? 0) + (span?.durationMs ?? 0)
  assert.ok(Math.abs(endedAtMs - Date.now()) < 60_000)
})

test('of a batch only the events of kept traces have spans', () => {
  const traced = [{ topic: 'order.placed', traceparent: kept(SPAN), parent: kept(CALLER), durationMs: 2 }]
  const { spans } = recorded(() => {
    appended.publish({ shard: 1, segments: 1, events: 300, durationMs: 1, traced })
    const batch = { source: 1, target: 1, events: 300, durationMs: 9, oldestAtMs: 0 }
    delivered.publish({ ...batch, group: 'payment-service', traced })
    delivered.publish({ ...batch, group: 'email-service', traced: [] })
  })
  assert.deepEqual(
    spans.map(({ name, service, kind }) => [name, service, kind]),
    [
      ['outbox order.placed', 'outbox', 'producer'],
      ['payment-service order.placed', 'payment-service', 'consumer'],
    ],
  )
  assert.equal(spans[1]?.attributes['messaging.batch.message_count'], 300)
})
