import assert from 'node:assert/strict'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../testing/index.ts'
import { createCatalog } from './config/catalog.ts'
import { addRoute, ask, ConfigFixture, startGateway } from './gateway-fixture.ts'
import { plugins as installed } from './plugins/index.ts'
import { gatewayPlugin, withOwnPlugins } from './plugins/own-plugin.ts'

/** Upstreams that write their bytes themselves, since no server would write these. */

const JSON_ONLY = { accept: 'application/json' }

const evil = gatewayPlugin({
  name: 'evil',
  priority: 1,
  config: [],
  prepare: () => undefined,
  phases: {
    access(exchange) {
      exchange.headers['x-evil'] = 'a\r\nb'
      return undefined
    },
  },
})
const plugins = withOwnPlugins(installed, [evil])

/** A gateway in front of a server that hands its connections to `accept`. */
async function proxied(
  context: TestContext,
  accept: (socket: Socket) => void,
  { service = {}, upstream }: { service?: Record<string, unknown>; upstream?: Record<string, unknown> } = {},
) {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket.on('error', () => socket.destroy()))
    accept(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const { port: upstreamPort } = server.address() as AddressInfo
  const config = new ConfigFixture(createCatalog(plugins))
  const host = upstream === undefined ? '127.0.0.1' : 'places'
  if (upstream !== undefined) {
    const { id } = config.add('upstreams', { name: host, ...upstream })
    config.add('targets', { target: `127.0.0.1:${upstreamPort}`, upstream: { id } })
  }
  const added = addRoute(config, { paths: ['/'] }, { host, port: upstreamPort, ...service })
  const { port, gateway } = await startGateway(context, { config, plugins })
  return { config, port, sockets, gateway, added }
}

/** Answers every request, which has no body, with these bytes. */
const answering = (bytes: string) => (socket: Socket) => void socket.on('data', () => socket.write(bytes, 'latin1'))

test('a client gets all trailers, save those that would frame a message', async (context) => {
  const trailers = 'X-A: 1\r\nX-B: 2\r\nX-A: 3\r\nContent-Length: 7\r\n'
  const { port } = await proxied(
    context,
    answering(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n${trailers}\r\n`),
  )
  const [response] = await once(httpRequest({ port, agent: false }).end(), 'response')
  response.resume()
  await once(response, 'end')
  assert.deepEqual(response.rawTrailers, ['x-a', '1, 3', 'x-b', '2'])
})

for (const [what, service, headers] of [
  ['a client’s deadline of some seconds', {}, { 'x-deadline-ms': '6000' }],
  ['waiting for a connection', { protocol: 'https', read_timeout: 6_000 }, {}],
] as const) {
  test(`${what} ends in time`, async (context) => {
    // As for TLS, nothing is said by this server, and the connection is never ready.
    const { port, sockets } = await proxied(context, () => {}, { service })
    context.mock.timers.enable({ apis: ['setTimeout'] })
    const request = httpRequest({ port, agent: false, headers }).end()
    while (![...sockets].some(({ bytesRead }) => bytesRead > 0)) await new Promise(setImmediate)
    context.mock.timers.tick(6_000)
    const [response] = await once(request, 'response')
    context.mock.timers.reset()
    assert.equal(response.statusCode, 504)
    request.destroy()
  })
}

test('a request that cannot be written is no failure of the upstream, and is not tried again', async (context) => {
  const healthchecks = { passive: { unhealthy: { tcp_failures: 1 } } }
  const { port, config } = await proxied(context, answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), {
    upstream: { healthchecks },
  })
  const { id } = config.add('plugins', { name: 'evil' })
  const refused = await ask(port, '/', { headers: JSON_ONLY })
  assert.deepEqual([refused.status, JSON.parse(refused.body).message], [500, 'An unexpected error occurred'])
  config.remove('plugins', id)
  assert.equal((await ask(port, '/')).body, 'ok')
})

test('many small chunks to a client that does not read leave one listener behind', async (context) => {
  const chunk = `8\r\n${'x'.repeat(8)}\r\n`
  const count = 100_000
  const { port, sockets } = await proxied(context, (socket) => {
    socket.on('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n')
      socket.write(`${chunk.repeat(count)}0\r\n\r\n`)
    })
  })
  const warnings: Error[] = []
  const keep = (warning: Error) => warnings.push(warning)
  process.on('warning', keep)
  context.after(() => process.off('warning', keep))
  const [response] = await once(httpRequest({ port, agent: false }).end(), 'response')
  let bytes = 0
  response.on('data', (data: Buffer) => {
    bytes += data.length
  })
  await once(response, 'end')
  assert.deepEqual([bytes, warnings.map(({ name }) => name), sockets.size], [8 * count, [], 1])
})

test('an answer that cannot have a body announces none', async (context) => {
  const { port } = await proxied(context, answering('HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nX-A: 1\r\n\r\n'))
  const { status, headers } = await ask(port, '/')
  assert.deepEqual([status, headers['content-length'], headers['x-a']], [204, undefined, '1'])
})

test('an answer that is to be asked for again, and does not end, is not waited for', async (context) => {
  let connections = 0
  const endless = 'HTTP/1.1 503 Service Unavailable\r\nContent-Length: 100\r\n\r\nx'
  const { port } = await proxied(
    context,
    (socket) => {
      connections += 1
      answering(connections === 1 ? endless : 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')(socket)
    },
    { upstream: { retry: { http_statuses: [503] } } },
  )
  const { status, body } = await ask(port, '/')
  assert.deepEqual([status, body, connections], [200, 'ok', 2])
})

test('a service that was removed while a connection to it was being made leaves none behind', async (context) => {
  // As for TLS, nothing is said by this server, and the connection is never ready.
  const silent = (socket: Socket) => void socket.resume()
  const { port, sockets, config, added, gateway } = await proxied(context, silent, { service: { protocol: 'https' } })
  const request = httpRequest({ port, agent: false }).on('error', () => {})
  request.end()
  await until(() => [...sockets].some(({ bytesRead }) => bytesRead > 0), { what: 'the connection that is being made' })
  request.destroy()
  config.remove('routes', added.route.id)
  config.remove('services', added.service.id)
  await gateway.close({ deadlineAtMs: Date.now() })
  await until(() => [...sockets].every(({ destroyed }) => destroyed), { what: 'the end of the connection' })
})
