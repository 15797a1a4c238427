import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../testing/index.ts'
import type { Peer } from './client-address.ts'
import { addRoute, ConfigFixture, startGateway } from './gateway-fixture.ts'
import { IdleConnections } from './idle-connections.ts'

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'

/** A gateway that soon ends what is idle, and a client of it. */
async function withClient(
  context: TestContext,
  dispatch: (request: IncomingMessage, response: ServerResponse) => void,
  idleMs: number,
) {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] })
  const clientTimeouts = { checkMs: 5, idleMs }
  const { port } = await startGateway(context, { config, clientTimeouts, resolve: () => ({ kind: 'local', dispatch }) })
  const socket = connect(port, '127.0.0.1')
  context.after(() => socket.destroy())
  const client = { socket, text: '', closed: once(socket, 'close') }
  socket.on('data', (chunk) => {
    client.text += chunk
  })
  return client
}

test('a client is told for how long its connection is kept, and it is ended when nobody uses it', async (context) => {
  const client = await withClient(context, (_request, response) => void response.end('done'), 20)
  client.socket.write(REQUEST)
  await client.closed
  assert.match(client.text, /\r\nKeep-Alive: timeout=75\r\n/)
  assert.match(client.text, /\r\nConnection: keep-alive\r\n/)
  assert.match(client.text, /done$/)
})

test('a client that wants to close is told of no time', async (context) => {
  const client = await withClient(context, (_request, response) => void response.end('done'), 60_000)
  client.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  await client.closed
  assert.match(client.text, /\r\nConnection: close\r\n/)
  assert.doesNotMatch(client.text, /keep-alive/i)
})

test('a connection is not idle while the service takes its time', async (context) => {
  const waiting: ServerResponse[] = []
  const client = await withClient(context, (_request, response) => void waiting.push(response), 1)
  client.socket.write(REQUEST + REQUEST)
  await until(() => waiting.length === 2)
  waiting[1]?.end('second')
  const checks = context.mock.method(IdleConnections.prototype, 'sweep').mock
  await until(() => checks.callCount() > 5)
  assert.equal(client.socket.closed, false)
  waiting[0]?.end('first')
  await client.closed
  assert.match(client.text, /first[\s\S]*second$/)
})

test('a connection on which a head has begun to arrive is left to those who wait for its end', () => {
  const idle = new IdleConnections(100)
  const socket = { bytesRead: 30, destroyed: false, once: () => undefined, destroy: () => (socket.destroyed = true) }
  const peer: Peer = { ...PEER, socket: socket as unknown as Socket }
  idle.begin(peer)
  idle.end(peer)
  const endedAtMs = peer.idleSinceMs
  socket.bytesRead = 31
  idle.sweep(endedAtMs + 1_000)
  assert.equal(socket.destroyed, false)
  socket.bytesRead = 30
  idle.sweep(endedAtMs + 99)
  assert.equal(socket.destroyed, false)
  idle.sweep(endedAtMs + 100)
  assert.equal(socket.destroyed, true)
})

const PEER = {
  ip: '',
  trusted: false,
  serverName: undefined,
  refused: false,
  receivedBytes: 0,
  underWay: 0,
  idleSinceMs: 0,
  bagIndex: -1,
}
