import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../../testing/index.ts'
import { ERROR_SPANS_PER_SECOND, SPAN_TEXT_CHARS_MAX, SPANS_SHARED_MAX } from './limits.ts'
import { spanFixture } from './span-fixture.ts'
import { createTraces } from './traces.ts'

const NOW = { deadlineAtMs: 0 }

test('what one process records, another shows once it was told, to the last attribute', async () => {
  const there = createTraces()
  const here = createTraces({ share: (payload) => there.receive(payload) })
  await here.start()
  const span = spanFixture({ parentSpanId: '00f067aa0ba902b7', attributes: { shard: 3, note: 'ü', retried: false } })
  here.record(span)
  here.record(spanFixture({ spanId: 'aaaaaaaaaaaaaaaa', startedAtMs: 2_000.25, failed: true }))
  assert.deepEqual(here.trace(span.traceId)[0], span)
  await until(() => there.trace(span.traceId).length === 2)
  assert.deepEqual(there.trace(span.traceId), here.trace(span.traceId))
  await here.stop(NOW)
})

test('what is left is told at the stop, and what is too much in one message is counted', async () => {
  const there = createTraces()
  const here = createTraces({ share: (payload) => there.receive(payload) })
  for (let index = 0; index < SPANS_SHARED_MAX + 7; index++) here.record(spanFixture({ traceId: `t${index}` }))
  await here.stop(NOW)
  assert.equal(here.stats().spansUnshared, 7)
  assert.equal(there.trace(`t${SPANS_SHARED_MAX - 1}`).length, 1)
})

test('messages that make no sense, of whatever bytes, change nothing', () => {
  const traces = createTraces()
  const texts = [
    '',
    '{',
    '7',
    '{}',
    '[1]',
    '[["t"]]',
    '[[1,2,3,4,5,6,7,8,9,10]]',
    '[["t","s",null,"n","x","odd",1,1,0,{}]]',
  ]
  for (const text of texts) traces.receive(new TextEncoder().encode(text))
  traces.receive(Uint8Array.of(0xff, 0xfe, 0))
  assert.deepEqual(traces.traces(10), [])
  traces.receive(new TextEncoder().encode('[7,["t","s",null,"n","x","server",1,1,0,{}]]'))
  assert.equal(traces.traces(10).length, 1)
})

test('of failures whose traces are not kept a few a second are, and the rest is not even made', () => {
  const traces = createTraces()
  let made = 0
  for (let index = 0; index < 1_000; index++) {
    traces.recordError(() => {
      made += 1
      return spanFixture({ traceId: `t${index}`, failed: true })
    })
  }
  // The thousand may take the machine more than a second.
  assert.ok(made >= ERROR_SPANS_PER_SECOND && made < 500, `${made}`)
  assert.equal(traces.traces(1_000).length, made)
})

test('long texts are shortened, and exporters get what is kept', () => {
  const exported: unknown[] = []
  const traces = createTraces({ exporters: [(span) => exported.push(span)] })
  traces.record(spanFixture({ attributes: { error: 'x'.repeat(10_000), shard: 1 } }))
  const [kept] = traces.trace(spanFixture().traceId)
  assert.equal(String(kept?.attributes.error).length, SPAN_TEXT_CHARS_MAX)
  assert.equal(kept?.attributes.shard, 1)
  assert.deepEqual(exported, [kept])
})
