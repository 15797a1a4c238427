import assert from 'node:assert/strict'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import Fastify from 'fastify'
import { until } from '../testing/index.ts'
import { configProblem, type RequestFinished, requestFinished } from './channels.ts'
import type { ConfigSource } from './config/entities.ts'
import { createGateway, type GatewayOptions } from './gateway.ts'
import { type Answer, addRoute, ask, ConfigFixture, exchangeBytes, startGateway } from './gateway-fixture.ts'

/** A gateway whose one service is a real Fastify in this process, called through its `routing`. */
async function withFastify(context: TestContext, route: Record<string, unknown> = { paths: ['/'] }) {
  const app = Fastify()
  app.get('/echo/*', (request) => ({ url: request.url, headers: request.headers }))
  app.post('/orders', (request, reply) => reply.code(202).header('Location', '/orders/1').send(request.body))
  app.get('/stream', (_request, reply) => reply.header('x-kind', 'stream').send(new Blob(['a', 'b']).stream()))
  app.get('/raw', (_request, reply) => {
    reply.hijack()
    reply.raw.setHeader('Via', '2 inner')
    reply.raw.setHeader('Server', 'inner')
    reply.raw.end('raw')
  })
  await app.ready()
  const config = new ConfigFixture()
  const added = addRoute(config, { strip_path: false, ...route })
  const local = { kind: 'local', dispatch: app.routing } as const
  return { ...(await startGateway(context, { config, resolve: () => local })), config, ...added }
}

const message = (answer: Answer) => [answer.status, JSON.parse(answer.body).message]
const seenBy = (answer: Answer) => JSON.parse(answer.body) as { url: string; headers: IncomingHttpHeaders }

test('a service in this process gets the request, body included, and its answer gets the gateway’s headers', async (context) => {
  const { port } = await withFastify(context)
  const headers = { 'content-type': 'application/json' }
  const answer = await ask(port, '/orders', { method: 'POST', headers, body: '{"sku":"x"}' })
  assert.deepEqual([answer.status, answer.body, answer.headers.location], [202, '{"sku":"x"}', '/orders/1'])
  assert.match(String(answer.headers['x-kong-request-id']), /^[0-9a-f]{32}$/)
  assert.match(String(answer.headers['x-kong-upstream-latency']), /^\d+$/)
  assert.match(String(answer.headers['x-kong-proxy-latency']), /^\d+$/)
  assert.equal(answer.headers['x-kong-response-latency'], undefined)
  assert.deepEqual([answer.headers.via, answer.headers.server], ['1.1 kong/3.9.1', 'kong/3.9.1'])
})

test('a 404 of the service is the service’s', async (context) => {
  const { port } = await withFastify(context)
  const answer = await ask(port, '/nowhere')
  assert.equal(answer.status, 404)
  assert.equal(JSON.parse(answer.body).message, 'Route GET:/nowhere not found')
  assert.equal(answer.headers.via, '1.1 kong/3.9.1')
})

test('streams and handlers of plain node get the headers too; an inner Server and Via stay', async (context) => {
  const { port } = await withFastify(context)
  const stream = await ask(port, '/stream')
  assert.deepEqual([stream.body, stream.headers['x-kind'], stream.headers.via], ['ab', 'stream', '1.1 kong/3.9.1'])
  const raw = await ask(port, '/raw')
  assert.deepEqual([raw.headers.server, raw.headers.via], ['inner', '2 inner, 1.1 kong/3.9.1'])
})

test('the service sees who asked, for what, and how long there is to answer', async (context) => {
  const { port } = await withFastify(context, { paths: ['/shop'], strip_path: true })
  const given = {
    'X-Forwarded-For': '10.0.0.9',
    'X-Forwarded-Proto': 'https',
    'X-Real-IP': '10.0.0.9',
    Via: '1.0 front',
  }
  const answer = await ask(port, '/shop/echo/%7Eme?a=%20&b', { headers: { ...given, Host: 'Shop.Example:80' } })
  const { url, headers } = seenBy(answer)
  assert.equal(url, '/echo/~me?a=%20&b')
  assert.equal(headers.host, 'order-service')
  assert.equal(headers['x-forwarded-for'], '10.0.0.9, 127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'http')
  assert.equal(headers['x-forwarded-host'], 'shop.example')
  assert.equal(headers['x-forwarded-port'], String(port))
  assert.equal(headers['x-forwarded-path'], '/shop/echo/%7Eme')
  assert.equal(headers['x-forwarded-prefix'], '/shop')
  assert.equal(headers['x-real-ip'], '127.0.0.1')
  assert.equal(headers.via, '1.0 front, 1.1 kong/3.9.1')
  assert.equal(headers['x-kong-request-id'], answer.headers['x-kong-request-id'])
  assert.equal(headers['x-deadline-ms'], '60000')
  assert.match(String(headers.traceparent), /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  assert.equal(headers.connection, undefined)
})

test('trace and deadline of the client go on, but no longer than the service’s timeout', async (context) => {
  const { port } = await withFastify(context)
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'
  const ofClient = seenBy(await ask(port, '/echo/', { headers: { traceparent, 'x-deadline-ms': '5000' } })).headers
  assert.match(
    String(ofClient.traceparent),
    /^00-0af7651916cd43dd8448eb211c80319c-(?!b7ad6b7169203331)[0-9a-f]{16}-00$/,
  )
  const leftMs = Number(ofClient['x-deadline-ms'])
  assert.ok(leftMs > 0 && leftMs <= 5000, `${leftMs}`)
  const tooLong = seenBy(await ask(port, '/echo/', { headers: { 'x-deadline-ms': '999999' } })).headers
  assert.equal(tooLong['x-deadline-ms'], '60000')
  assert.equal((await ask(port, '/echo/', { headers: { 'x-deadline-ms': '0' } })).status, 504)
})

test('X-Forwarded headers and X-Real-IP are believed from trusted addresses only', async (context) => {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] })
  const dispatch = (request: IncomingMessage, response: ServerResponse) => response.end(JSON.stringify(request.headers))
  const local = { kind: 'local', dispatch } as const
  const { port } = await startGateway(context, { config, resolve: () => local, trustedIps: ['127.0.0.0/8'] })
  const given = { 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'a.com', 'X-Real-IP': '10.0.0.9' }
  const headers = JSON.parse((await ask(port, '/', { headers: given })).body) as IncomingHttpHeaders
  assert.deepEqual([headers['x-forwarded-proto'], headers['x-forwarded-host']], ['https', 'a.com'])
  assert.equal(headers['x-real-ip'], '10.0.0.9')
})

test('what is no request, or too large a one, is answered and its connection closed', async (context) => {
  const { port } = await withFastify(context)
  const nonsense = await exchangeBytes(port, 'nonsense\r\n\r\n')
  assert.match(nonsense, /^HTTP\/1\.1 400 Bad Request\r\n/)
  assert.match(nonsense, /\r\n\r\nBad request\nrequest_id: [0-9a-f]{32}\n$/)
  const large = await exchangeBytes(port, `GET / HTTP/1.1\r\nHost: a\r\nX-Large: ${'x'.repeat(40_000)}\r\n\r\n`)
  assert.match(large, /^HTTP\/1\.1 400 [\s\S]*Request header or cookie too large/)
  const tunnel = await exchangeBytes(port, 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n')
  assert.match(tunnel, /^HTTP\/1\.1 405 /)
  const proxied = await exchangeBytes(port, 'GET http://a/echo/x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  assert.match(proxied, /"url":"\/echo\/x\?y"/)
})

test('a service that throws is a 500, and the gateway goes on', async (context) => {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] })
  const dispatch = () => {
    throw new Error('broken')
  }
  const { port } = await startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }) })
  assert.deepEqual(message(await ask(port, '/')), [500, 'An unexpected error occurred'])
  assert.deepEqual(message(await ask(port, '/')), [500, 'An unexpected error occurred'])
})

test('every request is told to those who listen, with what it was', async (context) => {
  const { port, service, route, gateway } = await withFastify(context)
  const heard: RequestFinished[] = []
  context.after(requestFinished.subscribe((fact) => heard.push(fact)))
  const answer = await ask(port, '/echo/x')
  await until(() => heard.length > 0)
  const [fact] = heard
  assert.deepEqual([fact?.route, fact?.service, fact?.status], [route.id, service.id, 200])
  assert.equal(fact?.serviceName, service.name ?? service.host)
  assert.equal(fact?.requestId, answer.headers['x-kong-request-id'])
  assert.ok((fact?.bytes ?? 0) > answer.body.length)
  assert.ok((fact?.totalMs ?? 0) >= (fact?.upstreamMs ?? Number.POSITIVE_INFINITY))
  assert.equal(gateway.stats().requestsTotal, 1)
  assert.equal(gateway.stats().requestsActive, 0)
})

test('what in a configuration cannot work is told', async (context) => {
  const { config, gateway } = await withFastify(context)
  const heard: string[] = []
  context.after(configProblem.subscribe(({ message: text }) => heard.push(text)))
  const added = config.add('plugins', { name: 'key-auth' })
  const problems = gateway.reload({ ...config.snapshot(), plugins: [{ ...added, name: 'unheard-of' }] })
  assert.equal(problems.length, 1)
  assert.deepEqual(heard, problems)
})

/** A gateway whose service answers when told to. */
async function withSlowService(options: Partial<GatewayOptions> = {}) {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] })
  const waiting: ServerResponse[] = []
  const dispatch = (_request: IncomingMessage, response: ServerResponse) => void waiting.push(response)
  const source: ConfigSource = config
  const resolve = () => ({ kind: 'local', dispatch }) as const
  const gateway = createGateway({ config: source, resolve, version: '3.9.1', ...options })
  const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 })
  return { gateway, port, waiting }
}

test('closing finishes what was accepted and refuses what is new', async () => {
  const { gateway, port, waiting } = await withSlowService()
  const idle = connect(port, '127.0.0.1')
  const answer = ask(port, '/', { headers: { connection: 'keep-alive' } })
  await until(() => waiting.length > 0)
  const closed = gateway.close({ deadlineAtMs: Date.now() + 10_000 })
  await until(() => isRefused(port), { what: 'connections refused' })
  waiting[0]?.end('done')
  const { status, body, headers } = await answer
  assert.deepEqual([status, body, headers.connection], [200, 'done', 'close'])
  await closed
  await gateway.close({ deadlineAtMs: 0 })
  assert.equal(gateway.stats().requestsActive, 0)
  idle.destroy()
})

/** Whether nobody listens: for a moment connections are taken that were made before. */
function isRefused(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED'))
    socket.once('connect', () => socket.end(() => resolve(false)))
  })
}

test('closing cuts off what is not done at the deadline', async () => {
  const { gateway, port, waiting } = await withSlowService()
  const answer = assert.rejects(ask(port, '/'))
  await until(() => waiting.length > 0)
  await gateway.close({ deadlineAtMs: Date.now() + 20 })
  await answer
})

test('a port that is taken is the system’s error', async (context) => {
  const { port } = await withFastify(context)
  const other = createGateway({ config: new ConfigFixture(), resolve: () => undefined, version: '3.9.1' })
  await assert.rejects(other.listen({ host: '127.0.0.1', port }), { code: 'EADDRINUSE' })
  await other.close({ deadlineAtMs: 0 })
})

test('a service in this process that hangs is answered for, and its late answer goes nowhere', async () => {
  const { gateway, port, waiting } = await withSlowService()
  const headers = { 'x-deadline-ms': '10', accept: 'application/json' }
  const answer = await ask(port, '/', { headers })
  assert.deepEqual(message(answer), [504, 'The upstream server is timing out'])
  const [late] = waiting
  late?.writeHead(200, { 'x-late': 'yes' })
  late?.write('late')
  late?.end('late')
  const next = ask(port, '/')
  await until(() => waiting.length === 2)
  waiting[1]?.end('in time')
  assert.equal((await next).body, 'in time')
  await gateway.close({ deadlineAtMs: Date.now() + 1_000 })
})

test('changes of the configuration under load fail no request', async (context) => {
  const { port, config } = await withFastify(context)
  const statuses = new Map<number, number>()
  let isOver = false
  const load = Array.from({ length: 8 }, async () => {
    while (!isOver) {
      const { status } = await ask(port, '/echo/x')
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  })
  for (let index = 0; index < 200; index++) {
    const { id } = config.add('routes', { paths: [`/other-${index}`] })
    const plugin = config.add('plugins', { name: 'correlation-id', config: { header_name: `X-${index}` } })
    await new Promise(setImmediate)
    config.remove('plugins', plugin.id)
    if (index % 2 === 0) config.remove('routes', id)
  }
  isOver = true
  await Promise.all(load)
  assert.deepEqual([...statuses.keys()], [200])
})
