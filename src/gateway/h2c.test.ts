import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../testing/index.ts'
import type { GatewayOptions } from './gateway.ts'
import { addRoute, ask, ConfigFixture, startGateway } from './gateway-fixture.ts'

/** HTTP/2 on the port without TLS, for clients that begin with it. */

const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** A frame of settings without any. */
const SETTINGS = '\0\0\0\x04\0\0\0\0\0'

async function withLocal(
  context: TestContext,
  dispatch: (request: IncomingMessage, response: ServerResponse) => void,
  options: Partial<GatewayOptions> = {},
) {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'], strip_path: false })
  return startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }), ...options })
}

const tell = ({ url, headers }: IncomingMessage, response: ServerResponse) =>
  void response.end(`${url} ${headers['x-forwarded-proto']}`)

function clientOf(context: TestContext, port: number): ClientHttp2Session {
  const client = connectHttp2(`http://127.0.0.1:${port}`)
  context.after(() => client.destroy())
  return client
}

async function askHttp2(client: ClientHttp2Session, path: string): Promise<string> {
  let text = ''
  for await (const chunk of client.request({ ':path': path })) text += chunk
  return text
}

test('a client may begin with HTTP/2, beside those of HTTP/1.1 on the same port', async (context) => {
  const { port, gateway } = await withLocal(context, tell)
  const client = clientOf(context, port)
  const answers = await Promise.all([askHttp2(client, '/a'), askHttp2(client, '/b'), ask(port, '/c')])
  assert.deepEqual([answers[0], answers[1], answers[2].body], ['/a http', '/b http', '/c http'])
  assert.equal(gateway.stats().connectionsAccepted, 2)
})

test('the beginning may come in pieces', async (context) => {
  const { port } = await withLocal(context, tell)
  for (const cut of [1, 3, 14, 23]) {
    const socket = connect(port, '127.0.0.1').setNoDelay()
    await once(socket, 'connect')
    socket.write(PREFACE.slice(0, cut))
    // The answer to a request on another connection: the piece has been read by then.
    await ask(port, '/')
    socket.write(PREFACE.slice(cut) + SETTINGS, 'latin1')
    const [frame] = (await once(socket, 'data')) as [Buffer]
    assert.equal(frame[3], 4, 'settings')
    socket.destroy()
  }
})

test('behind a request it is no beginning', async (context) => {
  const { port } = await withLocal(context, tell)
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.write(`GET / HTTP/1.1\r\nHost: a\r\n\r\n${PREFACE}`)
  await once(socket, 'close')
  assert.deepEqual(
    [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => status),
    ['200'],
  )
})

test('the clock of HTTP/1.1 does not run for a connection of HTTP/2', async (context) => {
  const waiting: ServerResponse[] = []
  const clientTimeouts = { checkMs: 10, headMs: 50, requestMs: 50 }
  const dispatch = (_request: IncomingMessage, response: ServerResponse) => void waiting.push(response)
  const { port } = await withLocal(context, dispatch, { clientTimeouts })
  const answer = askHttp2(clientOf(context, port), '/')
  await until(() => waiting.length === 1)
  // A connection that says nothing is closed by that clock: it has run.
  await once(connect(port, '127.0.0.1').resume(), 'close')
  waiting[0]?.end('late')
  assert.equal(await answer, 'late')
})

test('closing finishes what is under way, and cuts off what does not end', async (context) => {
  const waiting: ServerResponse[] = []
  const { port, gateway } = await withLocal(context, (_request, response) => void waiting.push(response))
  const asked = [0, 1].map(() => askHttp2(clientOf(context, port), '/'))
  await until(() => waiting.length === 2)
  const closed = gateway.close({ deadlineAtMs: Date.now() + 1_000 })
  waiting[0]?.end('done')
  const answers = await Promise.allSettled(asked)
  const done = answers.filter((answer) => answer.status === 'fulfilled' && answer.value === 'done')
  assert.equal(done.length, 1)
  await closed
})
