import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type IncomingMessage, request as requestHttp, type ServerResponse } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server, type Http2ServerRequest } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { type TestContext, test } from 'node:test'
import { startTarget } from './balancer/target-fixture.ts'
import { addRoute, ConfigFixture, startGateway } from './gateway-fixture.ts'

/** What clients and services say behind their bodies, from one version of HTTP to another. */

/** Says what it got, and something behind it. */
function tell(request: IncomingMessage | Http2ServerRequest, response: ServerResponse): void {
  let body = ''
  request.on('data', (chunk) => {
    body += chunk
  })
  request.on('end', () => {
    response.writeHead(200, { Trailer: 'x-sum' })
    response.write(JSON.stringify({ body, trailers: request.trailers }))
    response.addTrailers({ 'x-sum': '42', 'x-more': 'yes' })
    response.end()
  })
}

async function startOld(context: TestContext) {
  const target = await startTarget(context, tell)
  return { host: '127.0.0.1', port: target.port }
}

async function startNew(context: TestContext) {
  const server = createHttp2Server((request, response) => tell(request, response as unknown as ServerResponse))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  return { host: '127.0.0.1', port: (server.address() as AddressInfo).port, protocol: 'grpc' }
}

type Heard = { readonly answer: unknown; readonly said: readonly unknown[] }

async function askOld(port: number): Promise<Heard> {
  const headers = { Trailer: 'x-end', 'Transfer-Encoding': 'chunked' }
  const request = requestHttp({ port, method: 'POST', headers, agent: false })
  request.write('one')
  request.addTrailers({ 'x-end': 'of it', 'x-too': '2', 'x-consumer-username': 'admin' })
  request.end('two')
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let text = ''
  for await (const chunk of response) text += chunk
  return { answer: JSON.parse(text), said: [response.trailers['x-sum'], response.trailers['x-more']] }
}

async function askNew(port: number): Promise<Heard> {
  const client = connectHttp2(`http://127.0.0.1:${port}`)
  const stream = client.request({ ':method': 'POST', ':path': '/', trailer: 'x-end' }, { waitForTrailers: true })
  stream.on('wantTrailers', () =>
    stream.sendTrailers({ 'x-end': 'of it', 'x-too': '2', 'x-consumer-username': 'admin' }),
  )
  stream.write('one')
  stream.end('two')
  const trailers = once(stream, 'trailers')
  let text = ''
  for await (const chunk of stream) text += chunk
  client.close()
  const [heard] = await trailers
  return { answer: JSON.parse(text), said: [heard['x-sum'], heard['x-more']] }
}

for (const [behind, start] of [
  ['HTTP/1.1', startOld],
  ['HTTP/2', startNew],
] as const) {
  for (const [front, ask] of [
    ['HTTP/1.1', askOld],
    ['HTTP/2', askNew],
  ] as const) {
    test(`trailers pass both ways: ${front} in front, ${behind} behind`, async (context) => {
      const config = new ConfigFixture()
      addRoute(config, { paths: ['/'] }, await start(context))
      const { port } = await startGateway(context, { config })
      for (let count = 0; count < 2; count++) {
        const { answer, said } = await ask(port)
        assert.deepEqual(answer, { body: 'onetwo', trailers: { 'x-end': 'of it', 'x-too': '2' } })
        assert.deepEqual(said, ['42', 'yes'])
      }
    })
  }
}
