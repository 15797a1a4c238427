import assert from 'node:assert/strict'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { type DeliveryFailed, deliveryFailed } from '../channels.ts'
import { addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'

type Received = { readonly headers: IncomingHttpHeaders; readonly body: string }

/** A log server that answers with the statuses it is given, then 200, and a gateway that logs to it. */
async function start(context: TestContext, settings: Record<string, unknown>, statuses: number[] = []) {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    received.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
    response.writeHead(statuses.shift() ?? 200).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  const config = new ConfigFixture()
  const { service } = addRoute(config, { name: 'everything', paths: ['/'] }, { name: 'orders' })
  const http_endpoint = `http://u:p@127.0.0.1:${(server.address() as AddressInfo).port}/logs?token=t`
  const plugin = config.add('plugins', {
    name: 'http-log',
    service: { id: service.id },
    config: { http_endpoint, ...settings },
  })
  const local = {
    kind: 'local',
    dispatch: (_request: unknown, response: import('node:http').ServerResponse) =>
      void response.writeHead(201, { 'X-From': 'orders' }).end('done'),
  } as const
  const { port, gateway } = await startGateway(context, { config, resolve: () => local })
  const dropped: DeliveryFailed[] = []
  context.after(deliveryFailed.subscribe((fact) => dropped.push(fact)))
  return { port, gateway, config, plugin, received, dropped }
}

test('an entry has Kong’s fields, and no secret', async (context) => {
  const { port, received } = await start(context, { headers: { 'X-Log': 'yes' } })
  const answer = await ask(port, '/orders?b=1', { headers: { Authorization: 'Bearer secret' } })
  await until(() => received.length === 1, { what: 'the entry' })
  const [{ headers, body } = assert.fail()] = received
  assert.equal(headers.authorization, `Basic ${Buffer.from('u:p').toString('base64')}`)
  assert.deepEqual([headers['content-type'], headers['x-log']], ['application/json', 'yes'])
  assert.doesNotMatch(body, /secret/)
  const entry = JSON.parse(body)
  assert.deepEqual(
    [entry.request.method, entry.request.uri, entry.request.querystring],
    ['GET', '/orders?b=1', { b: '1' }],
  )
  assert.equal(entry.request.id, answer.headers['x-kong-request-id'])
  assert.equal(entry.request.headers.authorization, 'REDACTED')
  assert.deepEqual([entry.response.status, entry.response.headers['x-from']], [201, 'orders'])
  assert.deepEqual([entry.service.name, entry.route.name], ['orders', 'everything'])
  assert.deepEqual([entry.client_ip, entry.source, entry.upstream_status], ['127.0.0.1', 'upstream', '201'])
  assert.deepEqual(entry.tries, [])
  assert.deepEqual(Object.keys(entry.latencies).toSorted(), ['kong', 'proxy', 'receive', 'request'])
  assert.ok(entry.started_at > 1_700_000_000_000 && entry.request.size > 0 && entry.response.size > 0)
})

test('batches are lists, sent when they are full', async (context) => {
  const queue = { max_batch_size: 3, max_coalescing_delay: 3_600 }
  const { port, received } = await start(context, { queue })
  for (let count = 0; count < 6; count++) await ask(port, `/${count}`)
  await until(() => received.length === 2, { what: 'two full batches' })
  const uris = received.flatMap(({ body }) =>
    JSON.parse(body).map(({ request }: { request: { uri: string } }) => request.uri),
  )
  assert.deepEqual(uris, ['/0', '/1', '/2', '/3', '/4', '/5'])
})

test('a batch that fails is sent again, until it is not worth it', async (context) => {
  const { port, received, dropped } = await start(context, {}, [500, 503])
  await ask(port, '/again')
  await until(() => received.length === 3, { what: 'the third attempt' })
  assert.equal(new Set(received.map(({ body }) => body)).size, 1)
  assert.deepEqual(dropped, [])

  const hopeless = await start(context, { queue: { max_retry_time: 0 } }, [500])
  await ask(hopeless.port, '/')
  await until(() => hopeless.dropped.length === 1, { what: 'the entry that was given up' })
  const [{ name, entries, reason } = assert.fail()] = hopeless.dropped
  assert.match(name, /^http-log to http:\/\/127\.0\.0\.1:\d+\/logs$/)
  assert.deepEqual([entries, reason], [1, 'it answered 500'])
})

test('a full queue drops its oldest entries and counts them', async (context) => {
  const queue = { max_entries: 2, max_batch_size: 10, max_coalescing_delay: 3_600 }
  const { port, received, dropped, config, plugin } = await start(context, { queue })
  for (let count = 0; count < 5; count++) await ask(port, `/${count}`)
  await until(() => dropped.length === 3, { what: 'what did not fit' })
  // A plugin that is deleted sends what it has.
  config.remove('plugins', plugin.id)
  await until(() => received.length === 1, { what: 'what was left' })
  assert.equal(JSON.parse(received[0]?.body ?? '').length, 2)
})

test('a gateway that closes sends what waits', async (context) => {
  const queue = { max_batch_size: 10, max_coalescing_delay: 3_600 }
  const { port, received, gateway } = await start(context, { queue })
  await ask(port, '/last')
  await gateway.close({ deadlineAtMs: Date.now() + 2_000 })
  assert.equal(received.length, 1)
})
