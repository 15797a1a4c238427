import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { type RequestMeasured, requestMeasured } from '../channels.ts'
import { addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'

const BODY = 'x'.repeat(500)

/** A gateway with the plugin on one of two routes, and what it tells of the requests. */
async function measured(context: TestContext, options: Record<string, unknown>) {
  const facts: RequestMeasured[] = []
  context.after(requestMeasured.subscribe((fact) => void facts.push(fact)))
  const config = new ConfigFixture()
  const { route } = addRoute(config, { name: 'orders', paths: ['/orders'] }, { name: 'order-service' })
  addRoute(config, { paths: ['/plain'] }, { host: 'plain' })
  const dispatch = (request: IncomingMessage, response: ServerResponse) => {
    void text(request).then(() => response.end('done'))
  }
  config.add('plugins', { name: 'prometheus', route: { id: route.id }, config: options })
  const { port } = await startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }) })
  return { port, facts, config, route }
}

test('requests of the route it is for are told, with names, times and bytes; others are not', async (context) => {
  const { port, facts } = await measured(context, { status_code_metrics: true, bandwidth_metrics: true })
  await ask(port, '/plain')
  await ask(port, '/orders', { method: 'POST', body: BODY })
  await until(() => facts.length > 0, { what: 'the request to be told' })
  const [fact] = facts
  assert.equal(facts.length, 1)
  assert.deepEqual(
    {
      service: fact?.service,
      route: fact?.route,
      consumer: fact?.consumer,
      source: fact?.source,
      status: fact?.status,
    },
    { service: 'order-service', route: 'orders', consumer: '', source: 'service', status: 200 },
  )
  assert.deepEqual(fact?.counts, { status: true, latency: false, bandwidth: true })
  assert.ok((fact?.bytesIn ?? 0) > BODY.length && (fact?.bytesIn ?? 0) < BODY.length + 300, `${fact?.bytesIn} bytes in`)
  assert.ok((fact?.bytesOut ?? 0) > 'done'.length, `${fact?.bytesOut} bytes out`)
  assert.ok(
    (fact?.totalMs ?? 0) >= (fact?.upstreamMs ?? Number.POSITIVE_INFINITY),
    'the upstream is a part of the whole',
  )
})

test('a consumer is named when it is asked for, and an answer of a plugin is an exit', async (context) => {
  const { port, facts, config, route } = await measured(context, { per_consumer: true, status_code_metrics: true })
  config.add('plugins', { name: 'key-auth', route: { id: route.id } })
  const partner = config.add('consumers', { username: 'partner' })
  config.add('keyauth_credentials', { key: 'secret', consumer: { id: partner.id } })
  await ask(port, '/orders')
  await ask(port, '/orders', { headers: { apikey: 'secret' } })
  await until(() => facts.length === 2, { what: 'both requests to be told' })
  assert.deepEqual(
    facts.map(({ consumer, source, status, upstreamMs }) => [consumer, source, status, upstreamMs === undefined]),
    [
      ['', 'exit', 401, true],
      ['partner', 'service', 200, false],
    ],
  )
})

test('metrics that cannot come are refused with a reason', () => {
  const config = new ConfigFixture()
  assert.throws(() => config.add('plugins', { name: 'prometheus', config: { ai_metrics: true } }))
  assert.throws(() => config.add('plugins', { name: 'prometheus', config: { no_such_metrics: true } }))
})
