import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../testing/index.ts'
import { createGateway } from './gateway.ts'
import { addRoute, ConfigFixture } from './gateway-fixture.ts'

/** Connections that become WebSockets, to a server elsewhere. The gateway never looks into them: any bytes will do. */

type Accept = (socket: Socket, request: IncomingMessage, head: Buffer) => void

const SWITCHING =
  'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s\r\n'
const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n'
const ASK = `GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n${KEY}\r\n`

async function withUpstream(context: TestContext, accept: Accept, service: Record<string, unknown> = {}) {
  const server = createServer((request, response) => response.end(`plain ${request.url}`))
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('upgrade', (request, socket, head) => accept(socket as Socket, request, head))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  const config = new ConfigFixture()
  const { port: upstreamPort } = server.address() as AddressInfo
  const target = { host: '127.0.0.1', port: upstreamPort, ...service }
  addRoute(config, { paths: ['/'], strip_path: false }, target)
  const gateway = createGateway({ config, resolve: () => undefined, version: '3.9.1' })
  const { port } = await gateway.listen({ host: '127.0.0.1', port: 0 })
  context.after(() => gateway.close({ deadlineAtMs: Date.now() + 1_000 }))
  return { config, gateway, port, sockets }
}

/** Agrees, and then only follows the other side. */
function stayOpen(socket: Socket): void {
  socket.write(`${SWITCHING}\r\nopen`)
  socket.on('end', () => socket.end())
  socket.resume()
}

/** A client that keeps what it received. */
async function open(context: TestContext, port: number, bytes: string) {
  const socket = connect(port, '127.0.0.1')
  const client = { socket, text: '', ended: false }
  socket.on('data', (chunk: Buffer) => {
    client.text += chunk.toString('latin1')
  })
  socket.on('close', () => {
    client.ended = true
  })
  socket.on('error', () => socket.destroy())
  socket.write(bytes, 'latin1')
  context.after(() => socket.destroy())
  return client
}

test('a WebSocket goes through, both ways, with what either side sent at once', async (context) => {
  let asked: IncomingMessage | undefined
  const { port, gateway } = await withUpstream(context, (socket, request) => {
    asked = request
    socket.write(`${SWITCHING}\r\nhello`)
    socket.pipe(socket)
  })
  const client = await open(context, port, `${ASK}early`)
  await until(() => client.text.endsWith('helloearly'))
  const { headers, url } = asked as IncomingMessage
  assert.deepEqual([url, headers.upgrade, headers.connection], ['/chat', 'websocket', 'upgrade'])
  assert.deepEqual([headers['sec-websocket-version'], headers['x-forwarded-for']], ['13', '127.0.0.1'])
  assert.match(client.text, /^HTTP\/1\.1 101 [\s\S]*\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n/)
  assert.match(client.text, /\r\nsec-websocket-accept: s\r\n[\s\S]*\r\nX-Kong-Request-Id: /)
  client.socket.write('later')
  await until(() => client.text.endsWith('later'))
  assert.equal(gateway.stats().requestsActive, 1)
  client.socket.end()
  await until(() => client.ended && gateway.stats().requestsActive === 0)
})

test('neither side is read faster than the other side reads', async (context) => {
  let written = 0
  const { port } = await withUpstream(context, (socket) => {
    socket.write(`${SWITCHING}\r\n`)
    const chunk = Buffer.alloc(64 * 1024)
    const more = () => {
      while (written < 800 * chunk.length) {
        written += chunk.length
        if (!socket.write(chunk)) return
      }
      socket.end()
    }
    socket.on('drain', more)
    more()
  })
  const client = connect(port, '127.0.0.1')
  context.after(() => client.destroy())
  client.write(ASK)
  let polls = 0
  let before = 0
  await until(() => {
    polls = written === before ? polls + 1 : 0
    before = written
    return written > 0 && polls >= 5
  })
  assert.ok(written < 500 * 64 * 1024, `${written} bytes were taken while the client read nothing`)
  let received = 0
  client.on('data', (chunk: Buffer) => {
    received += chunk.length
  })
  await once(client, 'end')
  assert.ok(received > 800 * 64 * 1024)
})

test('an upstream that does not agree answers as to any request', async (context) => {
  const { port, config } = await withUpstream(context, (socket) => {
    socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
  })
  const refused = await open(context, port, ASK)
  await until(() => refused.ended)
  assert.match(refused.text, /^HTTP\/1\.1 403 Forbidden\r\n[\s\S]*\r\n\r\nno$/)
  config.add('plugins', { name: 'key-auth' })
  const unknown = await open(context, port, ASK)
  await until(() => unknown.ended)
  assert.match(unknown.text, /^HTTP\/1\.1 401 [\s\S]*No API key found/)
})

test('other upgrades are not what the gateway speaks, and are ignored', async (context) => {
  const { port } = await withUpstream(context, (socket) => void socket.destroy())
  const h2c = 'Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n'
  const client = await open(context, port, `GET /h2c HTTP/1.1\r\nHost: a\r\n${h2c}`)
  await until(() => client.ended)
  assert.match(client.text, /^HTTP\/1\.1 200 OK[\s\S]*plain \/h2c/)
})

test('when one side breaks off, the other is told; and so it is when neither says anything', async (context) => {
  const { port, sockets, gateway } = await withUpstream(
    context,
    (socket) => {
      stayOpen(socket)
    },
    { read_timeout: 100 },
  )
  const leaving = await open(context, port, ASK)
  await until(() => leaving.text.endsWith('open'))
  leaving.socket.resetAndDestroy()
  await until(() => sockets.size === 0 && gateway.stats().requestsActive === 0)
  const silent = await open(context, port, ASK)
  await until(() => silent.text.endsWith('open'))
  await until(() => silent.ended && sockets.size === 0)
})

test('closing the gateway ends its WebSockets', async (context) => {
  const { port, sockets, gateway } = await withUpstream(context, (socket) => {
    stayOpen(socket)
  })
  const client = await open(context, port, ASK)
  await until(() => client.text.endsWith('open'))
  await gateway.close({ deadlineAtMs: Date.now() + 10_000 })
  await until(() => client.ended && sockets.size === 0)
})
