import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Span } from '../view.ts'
import { FAILED_TRACES_KEPT_MAX, TRACE_SPANS_MAX, TRACES_KEPT_MAX } from './limits.ts'
import { spanFixture } from './span-fixture.ts'
import { TraceStore } from './store.ts'

const kept = (store: TraceStore) => store.list(Number.POSITIVE_INFINITY)

test('a trace is summed up from its spans, in whatever order they come', () => {
  const store = new TraceStore()
  const root = spanFixture({ spanId: 'a', name: 'POST /orders', service: 'gateway', startedAtMs: 100, durationMs: 10 })
  const child = spanFixture({ spanId: 'b', parentSpanId: 'a', service: 'order-service', startedAtMs: 102 })
  const late = spanFixture({ spanId: 'c', parentSpanId: 'b', startedAtMs: 150, durationMs: 30, failed: true })
  for (const span of [late, child, root, child]) store.add(span)
  assert.deepEqual(store.spans(root.traceId), [root, child, late])
  assert.deepEqual(kept(store), [
    {
      traceId: root.traceId,
      name: 'POST /orders',
      startedAtMs: 100,
      durationMs: 80,
      spans: 3,
      services: ['gateway', 'order-service', 'payment-service'],
      failed: true,
    },
  ])
  assert.deepEqual(store.spans('unknown'), [])
})

test('a trace is named after the span that no other caused, though a clock that is behind puts another before it', () => {
  const store = new TraceStore()
  store.add(spanFixture({ spanId: 'a', name: 'root', startedAtMs: 100 }))
  store.add(spanFixture({ spanId: 'b', name: 'child', parentSpanId: 'a', startedAtMs: 99 }))
  assert.equal(kept(store)[0]?.name, 'root')
})

test('newest traces come first, as many as are asked for', () => {
  const store = new TraceStore()
  for (const at of [3, 1, 2]) store.add(spanFixture({ traceId: `t${at}`, startedAtMs: at }))
  assert.deepEqual(
    store.list(2).map(({ traceId }) => traceId),
    ['t3', 't2'],
  )
})

test('100,000 spans take the room that the limits say, and the newest traces are there', () => {
  const store = new TraceStore()
  for (let index = 0; index < 50_000; index++) store.add(numbered(index, false))
  for (let index = 0; index < 50_000; index++) store.add(spanFixture({ traceId: 'endless', spanId: `${index}` }))
  const traces = kept(store)
  assert.equal(traces.length, TRACES_KEPT_MAX)
  assert.ok(traces.every(({ spans }) => spans <= TRACE_SPANS_MAX))
  assert.equal(store.spans('endless').length, TRACE_SPANS_MAX)
  assert.equal(store.spansDropped, 50_000 - TRACE_SPANS_MAX)
  assert.equal(store.spans('t49999').length, 1)
  assert.equal(store.spans('t0').length, 0)
})

test('failed traces outlive a flood of others, and a flood of failed ones is bounded too', () => {
  const store = new TraceStore()
  store.add(numbered(0, false))
  store.add({ ...numbered(0, true), spanId: 'failed later' })
  for (let index = 1; index < 5_000; index++) store.add(numbered(index, false))
  assert.equal(store.spans('t0').length, 2)
  for (let index = 10_000; index < 15_000; index++) store.add(numbered(index, true))
  assert.equal(store.spans('t0').length, 0)
  assert.equal(kept(store).length, TRACES_KEPT_MAX + FAILED_TRACES_KEPT_MAX)
})

function numbered(index: number, failed: boolean): Span {
  return spanFixture({ traceId: `t${index}`, startedAtMs: index, failed })
}
