import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as httpRequest, type RequestListener } from 'node:http'
import type { AddressInfo, createServer as createTcpServer, Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { freePort, until } from '../testing/index.ts'
import { type Answer, addRoute, ask, ConfigFixture, startGateway } from './gateway-fixture.ts'

type Upstream = { readonly port: number; readonly sockets: Set<Socket>; connections: number }

async function upstreamOf(context: TestContext, listener: RequestListener): Promise<Upstream> {
  return serve(context, createServer(listener))
}

async function serve(context: TestContext, server: ReturnType<typeof createTcpServer>): Promise<Upstream> {
  const sockets = new Set<Socket>()
  const upstream = { port: 0, sockets, connections: 0 }
  server.on('connection', (socket) => {
    upstream.connections += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  upstream.port = (server.address() as AddressInfo).port
  return upstream
}

/** A gateway with one route, everything, to a service at `port`. */
async function proxyTo(context: TestContext, port: number, service: Record<string, unknown> = {}) {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'], strip_path: false }, { host: '127.0.0.1', port, ...service })
  return { config, ...(await startGateway(context, { config })) }
}

const plain = { accept: 'application/json' }
const message = (answer: Answer) => [answer.status, JSON.parse(answer.body).message]

test('a request and its answer pass through, without what is about the connection', async (context) => {
  const upstream = await upstreamOf(context, (request, response) => {
    const { method, url, headers } = request
    const given = { 'X-Own': 'yes', 'Set-Cookie': ['a=1', 'b=2'], Via: '2 nginx', Server: 'own', 'X-Hop': '1' }
    response.writeHead(201, 'Made', { ...given, Connection: 'keep-alive, X-Hop' })
    response.end(JSON.stringify({ method, url, headers }))
  })
  const { port } = await proxyTo(context, upstream.port, { path: '/base' })
  const hops = {
    Connection: 'keep-alive, X-Mine',
    'X-Mine': '1',
    TE: 'trailers, gzip',
    'Proxy-Connection': 'x',
    'X-Two': '2',
  }
  const answer = await ask(port, '/a/../b%20c?x=%20', { headers: hops })
  const seen = JSON.parse(answer.body)
  assert.deepEqual([seen.method, seen.url], ['GET', '/base/b%20c?x=%20'])
  assert.equal(seen.headers.host, `127.0.0.1:${upstream.port}`)
  assert.deepEqual([seen.headers['x-mine'], seen.headers['x-two'], seen.headers.te], [undefined, '2', 'trailers'])
  assert.deepEqual([seen.headers['proxy-connection'], seen.headers.connection], [undefined, 'keep-alive'])
  assert.deepEqual([answer.status, answer.headers['x-own']], [201, 'yes'])
  assert.deepEqual(answer.headers['set-cookie'], ['a=1', 'b=2'])
  assert.deepEqual([answer.headers.via, answer.headers.server], ['2 nginx, 1.1 kong/3.9.1', 'own'])
  assert.equal(answer.headers['x-hop'], undefined)
  assert.match(String(answer.headers['x-kong-upstream-latency']), /^\d+$/)
})

for (const [what, bytes, headers] of [
  ['small', 1_000, {}],
  ['large', 3_000_000, {}],
  ['of unknown length', 100_000, { 'transfer-encoding': 'chunked' }],
] as const) {
  test(`a body passes both ways when it is ${what}`, async (context) => {
    const upstream = await upstreamOf(context, (request, response) => void request.pipe(response))
    const { port } = await proxyTo(context, upstream.port)
    const body = 'x'.repeat(bytes)
    for (let index = 0; index < 2; index++) {
      const answer = await ask(port, '/', { method: 'POST', body, headers })
      assert.deepEqual([answer.status, answer.body === body], [200, true])
    }
    assert.equal(upstream.connections, 1)
  })
}

test('HEAD, 204 and 304 have no body and keep the connection', async (context) => {
  const upstream = await upstreamOf(context, (request, response) => {
    response.writeHead(request.method === 'HEAD' ? 200 : Number(request.url?.slice(1)), { etag: '"1"' })
    response.end()
  })
  const { port } = await proxyTo(context, upstream.port)
  for (const [method, path, status] of [
    ['HEAD', '/', 200],
    ['GET', '/204', 204],
    ['GET', '/304', 304],
  ] as const) {
    const answer = await ask(port, path, { method })
    assert.deepEqual([answer.status, answer.body, answer.headers.etag], [status, '', '"1"'])
  }
  assert.equal(upstream.connections, 1)
})

test('an answer is passed on as it comes, not when it is complete', async (context) => {
  let finish = () => {}
  const upstream = await upstreamOf(context, (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (request.url === '/silent') response.flushHeaders()
    else response.write('first')
    finish = () => response.end('last')
  })
  const { port } = await proxyTo(context, upstream.port)
  for (const [path, whole] of [
    ['/', 'firstlast'],
    ['/silent', 'last'],
  ] as const) {
    const request = httpRequest({ port, path, agent: false }).end()
    const [response] = await once(request, 'response')
    if (path === '/') assert.equal(String((await once(response, 'data'))[0]), 'first')
    let rest = ''
    response.on('data', (chunk: Buffer) => {
      rest += chunk
    })
    finish()
    await once(response, 'end')
    assert.ok(whole.endsWith(rest) && rest !== '')
  }
})

test('an upstream is not read faster than the client reads', async (context) => {
  let written = 0
  const upstream = await upstreamOf(context, (_request, response) => {
    const chunk = Buffer.alloc(64 * 1024)
    const more = () => {
      while (written < 400 * chunk.length && response.write(chunk)) written += chunk.length
      if (written >= 400 * chunk.length) response.end()
    }
    response.on('drain', () => {
      written += chunk.length
      more()
    })
    more()
  })
  const { port } = await proxyTo(context, upstream.port)
  const request = httpRequest({ port, agent: false }).end()
  const [response] = await once(request, 'response')
  let before = 0
  let polls = 0
  await until(() => {
    polls = written === before ? polls + 1 : 0
    before = written
    return written > 0 && polls >= 5
  })
  assert.ok(written < 300 * 64 * 1024, `${written} bytes were taken from the upstream while the client read nothing`)
  let received = 0
  response.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  await once(response, 'end')
  assert.ok(received >= 400 * 64 * 1024)
})

test('connections to an upstream are kept and used again', async (context) => {
  const upstream = await upstreamOf(context, (_request, response) => response.end('x'))
  const { port } = await proxyTo(context, upstream.port)
  for (let index = 0; index < 20; index++) assert.equal((await ask(port, '/')).status, 200)
  assert.equal(upstream.connections, 1)
})

test('an upstream that refuses connections is a 502, in the format that the client asks for', async (context) => {
  const { port } = await proxyTo(context, await freePort())
  const expected = 'An invalid response was received from the upstream server'
  const answer = await ask(port, '/', { headers: plain })
  assert.deepEqual(message(answer), [502, expected])
  assert.match(String(answer.headers['x-kong-response-latency']), /^\d+$/)
  assert.equal(answer.headers['x-kong-upstream-latency'], undefined)
  const id = (given: Answer) => given.headers['x-kong-request-id']
  const silent = await ask(port, '/')
  assert.deepEqual([silent.status, silent.body], [502, `${expected}\nrequest_id: ${id(silent)}\n`])
  const any = await ask(port, '/', { headers: { accept: '*/*' } })
  assert.equal(any.body, `{\n  "message":"${expected}",\n  "request_id":"${id(any)}"\n}`)
  const large = await ask(port, '/', { method: 'POST', headers: plain, body: 'x'.repeat(1_000_000) })
  assert.deepEqual(message(large), [502, expected])
})

test('an upstream that is too slow is a 504, and its request is given up', async (context) => {
  const upstream = await upstreamOf(context, () => {})
  const { port } = await proxyTo(context, upstream.port, { read_timeout: 50 })
  const answer = await ask(port, '/', { headers: plain })
  assert.deepEqual(message(answer), [504, 'The upstream server is timing out'])
  await until(() => upstream.sockets.size === 0)
  assert.equal(upstream.connections, 1)
})

test('the client’s deadline ends the wait, too', async (context) => {
  const upstream = await upstreamOf(context, () => {})
  const { port } = await proxyTo(context, upstream.port)
  assert.equal((await ask(port, '/', { headers: { 'x-deadline-ms': '50' } })).status, 504)
})

test('a client that leaves ends the request to the upstream', async (context) => {
  const upstream = await upstreamOf(context, () => {})
  const { port, gateway } = await proxyTo(context, upstream.port)
  const request = httpRequest({ port, agent: false }).end()
  request.on('error', () => request.destroy())
  await until(() => upstream.sockets.size === 1)
  request.destroy()
  await until(() => upstream.sockets.size === 0)
  await until(() => gateway.stats().requestsActive === 0)
})

test('an answer that breaks off does not end as if it were whole', async (context) => {
  const upstream = await upstreamOf(context, (_request, response) => {
    response.writeHead(200, { 'content-length': 100 })
    response.write('half', () => response.socket?.destroy())
  })
  const { port } = await proxyTo(context, upstream.port)
  await assert.rejects(ask(port, '/'), { code: 'ECONNRESET' })
})

test('only what is safe is sent again after a connection breaks', async (context) => {
  const seen: string[] = []
  const upstream = await upstreamOf(context, (request, response) => {
    seen.push(request.method ?? '')
    if (seen.length === 1) response.socket?.destroy()
    else response.end('second')
  })
  const { port } = await proxyTo(context, upstream.port)
  for (const [method, body, status, sent] of [
    ['GET', undefined, 200, 2],
    ['DELETE', undefined, 200, 2],
    ['POST', undefined, 502, 1],
    ['PUT', 'body', 502, 1],
  ] as const) {
    seen.length = 0
    const answer = await ask(port, '/', { method, headers: plain, ...(body === undefined ? {} : { body }) })
    assert.deepEqual([method, answer.status, seen.length], [method, status, sent])
  }
})

test('a pool is closed when its service is gone, after its requests', async (context) => {
  let answer: (() => void) | undefined
  const upstream = await upstreamOf(context, (_request, response) => {
    answer = () => response.end('late')
  })
  const { port, config } = await proxyTo(context, upstream.port)
  const pending = ask(port, '/')
  await until(() => answer !== undefined)
  config.replace({ ...config.snapshot(), services: [], routes: [] })
  assert.equal((await ask(port, '/', { headers: plain })).status, 404)
  assert.equal(upstream.sockets.size, 1)
  answer?.()
  assert.equal((await pending).body, 'late')
  await until(() => upstream.sockets.size === 0)
})
