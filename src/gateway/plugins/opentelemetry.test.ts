import assert from 'node:assert/strict'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const CLIENT_SPAN = 'b7ad6b7169203331'

async function start(context: TestContext, settings: Record<string, unknown>) {
  const bodies: string[] = []
  const collector = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    if (request.url === '/v1/traces') bodies.push(body)
    response.end('{}')
  })
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    collector.closeAllConnections()
    collector.close()
  })
  const config = new ConfigFixture()
  const { route } = addRoute(config, { name: 'traced', paths: ['/traced'] }, { name: 'orders' })
  addRoute(config, { name: 'untraced', paths: ['/untraced'] })
  const traces_endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`
  const queue = { max_batch_size: 1 }
  config.add('plugins', {
    name: 'opentelemetry',
    route: { id: route.id },
    config: { traces_endpoint, queue, ...settings },
  })
  const local = {
    kind: 'local',
    dispatch: (_: unknown, response: ServerResponse) => void response.writeHead(503).end(),
  } as const
  const { port } = await startGateway(context, { config, resolve: () => local, sampleTrace: () => false })
  const spans = () => bodies.flatMap((body) => JSON.parse(body).resourceSpans[0].scopeSpans[0].spans)
  return { port, bodies, spans }
}

test('a request in scope is a span of its trace at the plugin’s own collector', async (context) => {
  const { port, spans, bodies } = await start(context, {
    sampling_rate: 1,
    resource_attributes: { 'service.name': 'edge' },
    http_response_header_for_traceid: 'X-Trace-Id',
  })
  await ask(port, '/untraced')
  const headers = { traceparent: `00-${TRACE}-${CLIENT_SPAN}-01` }
  const answer = await ask(port, '/traced', { headers })
  assert.equal(answer.headers['x-trace-id'], TRACE)
  await until(() => spans().length === 1, { what: 'the span' })
  const [span] = spans()
  assert.deepEqual([span.traceId, span.parentSpanId, span.kind, span.name], [TRACE, CLIENT_SPAN, 2, 'GET traced'])
  assert.match(span.spanId, /^[0-9a-f]{16}$/)
  assert.match(span.startTimeUnixNano, /^\d{19}$/)
  assert.ok(BigInt(span.endTimeUnixNano) >= BigInt(span.startTimeUnixNano))
  assert.deepEqual(span.status, { code: 2 })
  const attributes = span.attributes.map(({ key, value }: { key: string; value: unknown }) => [key, value])
  assert.deepEqual(Object.fromEntries(attributes)['http.response.status_code'], { intValue: 503 })
  assert.deepEqual(JSON.parse(bodies[0] ?? '').resourceSpans[0].resource.attributes, [
    { key: 'service.name', value: { stringValue: 'edge' } },
  ])
})

test('the rate chooses by the trace’s id', async (context) => {
  const half = await start(context, { sampling_rate: 0.5 })
  const send = (trace: string) =>
    ask(half.port, '/traced', { headers: { traceparent: `00-${trace}-${CLIENT_SPAN}-01` } })
  await send(`${TRACE.slice(0, 19)}ffffffffffff0`)
  await send(`${TRACE.slice(0, 19)}00000000000ff`)
  await until(() => half.spans().length === 1, { what: 'the chosen span' })
  assert.match(half.spans()[0].traceId, /0000ff$/)
})

test('what is not there is refused', () => {
  const config = new ConfigFixture()
  const traces_endpoint = 'http://collector:4318/v1/traces'
  for (const [field, value] of Object.entries({
    header_type: 'b3',
    propagation: { default_format: 'w3c' },
    logs_endpoint: 'http://x/',
    traces_endpoint: 'ftp://x/',
  })) {
    const add = () => config.add('plugins', { name: 'opentelemetry', config: { traces_endpoint, [field]: value } })
    assert.throws(add, /schema violation \(config\./, field)
  }
})
