import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { freePort, until } from '../testing/index.ts'
import { type UpstreamFailed, upstreamFailed } from './channels.ts'
import { addRoute, ask, ConfigFixture, startGateway } from './gateway-fixture.ts'

/** What was published while the test runs. */
function toldIn(context: TestContext): UpstreamFailed[] {
  const told: UpstreamFailed[] = []
  context.after(upstreamFailed.subscribe((fact) => void told.push(fact)))
  return told
}

/** The port of a server that hands its connections to `accept`. */
async function serve(context: TestContext, accept: (socket: Socket) => void): Promise<number> {
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
  return (server.address() as AddressInfo).port
}

async function proxyTo(context: TestContext, service: Record<string, unknown>) {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] }, { name: 'orders', host: '127.0.0.1', retries: 0, ...service })
  return { config, ...(await startGateway(context, { config })) }
}

test('an upstream that refuses connections is told of, under the id that its client got', async (context) => {
  const told = toldIn(context)
  const upstreamPort = await freePort()
  const { port } = await proxyTo(context, { port: upstreamPort })
  const answer = await ask(port, '/')
  assert.equal(told.length, 1)
  const { requestId, service, upstream, code, status, reason } = told[0] as UpstreamFailed
  assert.equal(requestId, answer.headers['x-kong-request-id'])
  assert.deepEqual([service, upstream, code, status], ['orders', `127.0.0.1:${upstreamPort}`, 'ECONNREFUSED', 502])
  assert.match(reason, /ECONNREFUSED/)
})

test('an upstream that is silent is told of by whose patience was over', async (context) => {
  const told = toldIn(context)
  const { port } = await proxyTo(context, { port: await serve(context, () => {}), read_timeout: 200 })
  await ask(port, '/')
  await ask(port, '/', { headers: { 'x-deadline-ms': '50' } })
  assert.deepEqual(
    told.map(({ code, status }) => [code, status]),
    [
      ['UPSTREAM_SILENT', 504],
      ['CLIENT_DEADLINE', 504],
    ],
  )
})

test('an upstream that breaks off after its head is told of, an answered request and a client that left are not', async (context) => {
  const told = toldIn(context)
  let requests = 0
  const upstreamPort = await serve(context, (socket) => {
    socket.on('data', (data) => {
      requests += 1
      const path = String(data).split(' ')[1]
      if (path === '/whole') socket.write('HTTP/1.1 500 Oh\r\nContent-Length: 2\r\n\r\nok')
      else if (path === '/part') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\nhalf')
    })
  })
  const { port } = await proxyTo(context, { port: upstreamPort })
  assert.equal((await ask(port, '/whole')).status, 500)
  const left = new AbortController()
  const leaving = fetch(`http://127.0.0.1:${port}/hangs`, { signal: left.signal })
  await until(() => requests === 2, { what: 'the request that hangs' })
  left.abort()
  await assert.rejects(leaving, { name: 'AbortError' })
  await assert.rejects(ask(port, '/part'))
  assert.deepEqual(
    told.map(({ status, upstream }) => [status, upstream]),
    [[502, `127.0.0.1:${upstreamPort}`]],
  )
})

test('of an upstream with targets, the last that was asked is named, or itself when none may be', async (context) => {
  const told = toldIn(context)
  const { port, config } = await proxyTo(context, { host: 'places', port: 80 })
  const { id } = config.add('upstreams', { name: 'places' })
  await ask(port, '/')
  const target = `127.0.0.1:${await freePort()}`
  config.add('targets', { target, upstream: { id } })
  await ask(port, '/')
  assert.deepEqual(
    told.map(({ upstream, code, status }) => [upstream, code, status]),
    [
      ['places', 'UPSTREAM_NONE_LEFT', 503],
      [target, 'ECONNREFUSED', 502],
    ],
  )
})

test('a service in this process that hangs is told of', async (context) => {
  const told = toldIn(context)
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] }, { name: 'orders', read_timeout: 50 })
  const { port } = await startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch: () => {} }) })
  const answer = await ask(port, '/')
  assert.deepEqual(
    told.map(({ code, status, requestId }) => [code, status, requestId]),
    [['UPSTREAM_HANGS', 504, answer.headers['x-kong-request-id']]],
  )
})
