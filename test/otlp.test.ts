import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { EXPORT_BATCH_SPANS_MAX, EXPORT_QUEUE_SPANS_MAX, type Span, startOtlpExporter } from '../src/telemetry/index.ts'
import { until } from '../src/testing/index.ts'
import { startCollector } from './collector.ts'

function spanFixture(given: Partial<Span> = {}): Span {
  const identity = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', parentSpanId: undefined }
  const work = { name: 'payment-service order.placed', service: 'payment-service', kind: 'consumer' } as const
  return { ...identity, ...work, startedAtMs: 1_000, durationMs: 1, failed: false, attributes: {}, ...given }
}

const soon = () => ({ deadlineAtMs: Date.now() + 10_000 })

async function exporterTo(context: TestContext, endpoint: string) {
  const states: (string | undefined)[] = []
  const exporter = await startOtlpExporter({
    endpoint,
    namespace: 'shop',
    instance: 'host:1:a',
    onState: (failure) => states.push(failure),
  })
  context.after(() => exporter.stop(soon()))
  return { exporter, states }
}

test('a collector gets the tree as it is: ids, kinds, services, times, failures, attributes', async (context) => {
  const collector = await startCollector()
  context.after(() => collector.close())
  const { exporter } = await exporterTo(context, `${collector.endpoint}/`)
  const attributes = {
    'http.request.method': 'POST',
    'http.response.status_code': 503,
    'groundswell.share': 0.5,
    on: true,
  }
  const root = spanFixture({
    spanId: 'a'.repeat(16),
    name: 'POST /orders',
    service: 'gateway',
    kind: 'server',
    attributes,
  })
  const child = spanFixture({ spanId: 'b'.repeat(16), parentSpanId: root.spanId, failed: true })
  exporter.take({ ...root, startedAtMs: 1_795_630_629_604.696, durationMs: 27.3587 })
  exporter.take(child)
  await exporter.stop(soon())
  const [first, second] = collector.spans
  assert.deepEqual(
    [first?.service, first?.name, first?.kind, first?.traceId, first?.spanId, first?.parentSpanId],
    ['gateway', 'POST /orders', 2, root.traceId, root.spanId, undefined],
  )
  assert.deepEqual(
    [first?.startTimeUnixNano, first?.endTimeUnixNano, first?.status.code],
    ['1795630629604696000', '1795630629632055000', 0],
  )
  assert.deepEqual(first?.attributes, [
    { key: 'http.request.method', value: { stringValue: 'POST' } },
    { key: 'http.response.status_code', value: { intValue: 503 } },
    { key: 'groundswell.share', value: { doubleValue: 0.5 } },
    { key: 'on', value: { boolValue: true } },
  ])
  assert.deepEqual(
    [second?.service, second?.kind, second?.parentSpanId, second?.status.code],
    ['payment-service', 5, root.spanId, 2],
  )
  assert.deepEqual(exporter.stats(), { waiting: 0, sent: 2, dropped: 0 })
})

test('a collector that is away costs spans, which are counted, and gets those that come once it is back', async (context) => {
  const gone = await startCollector()
  await gone.close()
  const { exporter, states } = await exporterTo(context, gone.endpoint)
  exporter.take(spanFixture())
  await until(() => exporter.stats().dropped === 1, { timeoutMs: 60_000, what: 'a span that is lost' })
  assert.equal(states.length, 1)
  assert.match(states[0] ?? '', /ECONNREFUSED/)
  const back = await startCollector(gone.port)
  context.after(() => back.close())
  exporter.take(spanFixture({ spanId: 'c'.repeat(16) }))
  await until(() => back.spans.length === 1)
  assert.equal(back.spans[0]?.spanId, 'c'.repeat(16))
  await until(() => exporter.stats().sent === 1)
  assert.deepEqual(exporter.stats(), { waiting: 0, sent: 1, dropped: 1 })
  assert.equal(states.at(-1), undefined)
})

test('a collector that never answers holds up nobody: the queue is bounded and the rest is counted', async (context) => {
  const collector = await startCollector(0, 'never')
  const { exporter } = await exporterTo(context, collector.endpoint)
  const count = 10_000
  for (let index = 0; index < count; index++) exporter.take(spanFixture())
  const { waiting, sent, dropped } = exporter.stats()
  assert.deepEqual([waiting, sent, dropped], [EXPORT_QUEUE_SPANS_MAX, 0, count - EXPORT_QUEUE_SPANS_MAX])
  await exporter.stop({ deadlineAtMs: Date.now() })
  assert.ok(exporter.stats().waiting >= EXPORT_QUEUE_SPANS_MAX - EXPORT_BATCH_SPANS_MAX, 'the stop did not wait')
  await collector.close()
})
