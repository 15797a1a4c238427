import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../testing/index.ts'
import { startTarget } from './balancer/target-fixture.ts'
import { addRoute, ConfigFixture, startGateway } from './gateway-fixture.ts'

/** Clients that ask for much and read nothing: each would hold a connection to the service for ever. */

async function withEndlessService(context: TestContext) {
  const service = await startTarget(context, (_request, response) => {
    const chunk = Buffer.alloc(65_536)
    const more = () => {
      while (!response.destroyed && response.write(chunk)) {}
    }
    response.on('drain', more)
    more()
  })
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] }, { host: '127.0.0.1', port: service.port })
  return { service, ...(await startGateway(context, { config, clientTimeouts: { sendMs: 100 } })) }
}

test('a client that reads nothing of an answer loses it, and the service its request', async (context) => {
  const { service, port } = await withEndlessService(context)
  const socket = connect(port, '127.0.0.1')
  context.after(() => socket.destroy())
  socket.on('error', () => undefined)
  socket.pause()
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await until(() => service.requests === 1)
  await until(() => service.open === 0, { what: 'the end of the request' })
})

test('over HTTP/2 its stream is reset, and the others go on', async (context) => {
  const { service, port, gateway } = await withEndlessService(context)
  const client = connectHttp2(`http://127.0.0.1:${port}`)
  context.after(() => client.destroy())
  const stream = client.request({ ':path': '/' })
  stream.on('error', () => undefined)
  await once(stream, 'response')
  await until(() => service.open === 0, { what: 'the end of the request' })
  const other = client.request({ ':path': '/', ':method': 'TRACE' })
  assert.equal((await once(other, 'response'))[0][':status'], 405)
  other.resume()
  await until(() => gateway.stats().requestsActive === 0)
})

test('garbage behind a request, sent while its answer is still being read, ends the connection and nothing else', async (context) => {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] })
  const body = Buffer.alloc(32_000_000)
  const { port, gateway } = await startGateway(context, {
    config,
    resolve: () => ({
      kind: 'local',
      dispatch: (_request, response) =>
        void setImmediate(() => response.writeHead(200, { 'content-length': body.length }).end(body)),
    }),
  })
  const socket = connect(port, '127.0.0.1')
  context.after(() => socket.destroy())
  socket.on('error', () => undefined)
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(socket, 'readable')
  socket.write('no request\r\n\r\n')
  socket.resume()
  await once(socket, 'close')
  await until(() => gateway.stats().requestsActive === 0)
})
