import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { credentials, Metadata, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js'
import { until } from '../testing/index.ts'
import type { GatewayOptions } from './gateway.ts'
import { ask, ConfigFixture, startGateway } from './gateway-fixture.ts'
import { type EchoClient, grpcClient, type Handlers, startGrpcServer } from './grpc-fixture.ts'
import { selfSigned } from './self-signed.ts'

/** gRPC through the gateway: a client and a server of grpc-js, which know nothing of it. */

function addCalls(config: ConfigFixture, port: number, service: Record<string, unknown> = {}) {
  const added = config.add('services', { protocol: 'grpc', host: '127.0.0.1', port, ...service })
  const protocols = ['grpc', 'grpcs']
  return {
    service: added,
    route: config.add('routes', { paths: ['/echo.Echo'], protocols, service: { id: added.id } }),
  }
}

async function withEcho(context: TestContext, handlers: Partial<Handlers> = {}, options: Partial<GatewayOptions> = {}) {
  const upstream = await startGrpcServer(context, handlers)
  const config = new ConfigFixture()
  const added = addCalls(config, upstream.port)
  const running = await startGateway(context, { config, ...options })
  return { ...running, ...added, config, upstream, client: grpcClient(context, running.port) }
}

const asked = (values: Record<string, string> = {}) => {
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(values)) metadata.set(name, value)
  return metadata
}

/** The code of a call without anything in it. */
const codeOf = async (client: EchoClient) => (await client.unary(Buffer.from('a'), asked())).status.code

test('a call passes with its metadata, message, status and trailers', async (context) => {
  const { client } = await withEcho(context)
  const metadata = asked({ 'x-asked': 'yes' })
  metadata.set('x-data-bin', Buffer.from([0, 1, 255]))
  const outcome = await client.unary(Buffer.from('hello'), metadata)
  assert.deepEqual([outcome.status.code, outcome.message?.toString()], [status.OK, 'hello'])
  assert.deepEqual(outcome.status.metadata.get('x-seen'), ['yes'])
  assert.deepEqual(outcome.head?.get('x-data-bin'), [Buffer.from([0, 1, 255])])
  assert.match(String(outcome.head?.get('via')), /kong/)
})

test('calls pass by TLS, in front and behind', async (context) => {
  const { cert, key } = selfSigned('localhost')
  const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) }
  const upstream = await startGrpcServer(context, {}, { secure: ServerCredentials.createSsl(null, [pair]) })
  const config = new ConfigFixture()
  addCalls(config, upstream.port, { protocol: 'grpcs', tls_verify: false })
  const own = config.add('certificates', { cert, key })
  config.add('snis', { name: 'localhost', certificate: { id: own.id } })
  const { tlsPort } = await startGateway(context, { config })
  const client = grpcClient(context, tlsPort, credentials.createSsl(Buffer.from(cert)))
  assert.equal(await codeOf(client), status.OK)
})

test('streams of all kinds pass message by message', async (context) => {
  const { client } = await withEcho(context)
  const collected = new Promise((resolve, reject) => {
    const call = client.collect((error, answer) => (error ? reject(error) : resolve(String(answer))))
    for (const part of ['a', 'b', 'c']) call.write(Buffer.from(part))
    call.end()
  })
  assert.equal(await collected, 'abc')
  const parts: string[] = []
  for await (const part of client.expand(Buffer.from('xyz'))) parts.push(String(part))
  assert.deepEqual(parts, ['x', 'y', 'z'])
  const chat = client.chat()
  for (const word of ['one', 'two', 'three']) {
    chat.write(Buffer.from(word))
    assert.equal(String((await once(chat, 'data'))[0]), word)
  }
  chat.end()
  const [end] = await once(chat, 'status')
  assert.equal(end.code, status.OK)
})

test('messages of megabytes pass', async (context) => {
  const { client } = await withEcho(context)
  const message = Buffer.alloc(8 * 1_048_576, 'abcdefg')
  const outcome = await client.unary(message, asked())
  assert.ok(outcome.message?.equals(message))
})

test('an error of the server is the client’s, with its details', async (context) => {
  const { client } = await withEcho(context, {
    unary: (_call, done) =>
      done({ code: status.FAILED_PRECONDITION, details: 'nö, 100 %', metadata: asked({ why: 'x' }) }),
    collect: (_call, done) => done({ code: status.ABORTED, details: 'enough' }),
  })
  const outcome = await client.unary(Buffer.from('a'), asked())
  assert.deepEqual([outcome.status.code, outcome.status.details], [status.FAILED_PRECONDITION, 'nö, 100 %'])
  assert.deepEqual(outcome.status.metadata.get('why'), ['x'])
  const early = new Promise((resolve) => {
    const call = client.collect((error) => resolve([error?.code, error?.details]))
    call.write(Buffer.from('a'))
  })
  assert.deepEqual(await early, [status.ABORTED, 'enough'])
})

test('a client that cancels, cancels the call of the server', async (context) => {
  let serverCall: ServerDuplexStream<Buffer, Buffer> | undefined
  const { client, gateway } = await withEcho(context, {
    chat: (call) => {
      serverCall = call
      call.write(Buffer.from('ready'))
    },
  })
  const chat = client.chat()
  chat.on('error', () => undefined)
  await once(chat, 'data')
  chat.cancel()
  await until(() => serverCall?.cancelled === true && gateway.stats().requestsActive === 0)
})

test('a deadline ends the call at the gateway, before the answer and in the midst of it', async (context) => {
  let isCancelled = false
  const { client } = await withEcho(context, {
    unary: (call) => call.on('cancelled', () => (isCancelled = true)),
    chat: (call) => call.write(Buffer.from('first')),
  })
  // The client's own timer would hide the gateway's: the metadata is all that says how long.
  const outcome = await client.unary(Buffer.from('a'), asked({ 'grpc-timeout': '50m' }))
  assert.deepEqual(
    [outcome.status.code, outcome.status.details],
    [status.DEADLINE_EXCEEDED, 'The deadline of the call is over'],
  )
  await until(() => isCancelled)
  const chat = client.chat(asked({ 'grpc-timeout': '200m' }))
  chat.on('data', () => undefined)
  assert.equal((await once(chat, 'error'))[0].code, status.DEADLINE_EXCEEDED)
})

test('what the gateway answers to a call is a status', async (context) => {
  const { client, config, service, upstream } = await withEcho(context)
  config.add('plugins', { name: 'key-auth', service: { id: service.id } })
  const refused = await client.unary(Buffer.from('a'), asked())
  assert.deepEqual(
    [refused.status.code, refused.status.details],
    [status.UNAUTHENTICATED, 'No API key found in request'],
  )
  const consumer = config.add('consumers', { username: 'ann' })
  config.add('keyauth_credentials', { key: 'secret', consumer: { id: consumer.id } })
  const limit = config.add('plugins', { name: 'rate-limiting', config: { hour: 1 } })
  const call = () => client.unary(Buffer.from('a'), asked({ apikey: 'secret' }))
  const [first, second] = [await call(), await call()]
  assert.deepEqual(first.head?.get('x-ratelimit-remaining-hour'), ['0'])
  assert.deepEqual([second.status.code, second.status.details], [status.RESOURCE_EXHAUSTED, 'API rate limit exceeded'])
  config.remove('plugins', limit.id)
  upstream.server.forceShutdown()
  assert.equal((await call()).status.code, status.UNAVAILABLE)
  for (const route of config.snapshot().routes) config.remove('routes', route.id)
  assert.deepEqual((await call()).status.code, status.NOT_FOUND)
})

test('a route for calls refuses what is none, and a route for grpcs what comes without TLS', async (context) => {
  const { client, config, port, route } = await withEcho(context)
  assert.equal((await ask(port, '/echo.Echo/Unary')).status, 415)
  const old = await ask(port, '/echo.Echo/Unary', { headers: { 'content-type': 'application/grpc' } })
  assert.deepEqual([old.status, old.headers.upgrade], [426, 'HTTP/2'])
  config.remove('routes', route.id)
  config.add('routes', { paths: ['/echo.Echo'], protocols: ['grpcs'], service: route.service })
  assert.equal(await codeOf(client), status.CANCELLED)
})

test('a server that breaks off makes the call unavailable, and the next call finds it again', async (context) => {
  const { client, upstream } = await withEcho(context, { chat: (call) => void call.write(Buffer.from('first')) })
  const chat = client.chat()
  await once(chat, 'data')
  const ended = once(chat, 'error')
  upstream.server.forceShutdown()
  assert.equal((await ended)[0].code, status.UNAVAILABLE)
  await startGrpcServer(context, {}, { port: upstream.port })
  assert.equal(await codeOf(client), status.OK)
})

test('a server that restarts gracefully loses no call', async (context) => {
  const config = new ConfigFixture()
  const upstreams = [await startGrpcServer(context), await startGrpcServer(context)]
  const upstream = config.add('upstreams', { name: 'echo.balanced' })
  for (const { port } of upstreams)
    config.add('targets', { target: `127.0.0.1:${port}`, upstream: { id: upstream.id } })
  addCalls(config, 80, { host: 'echo.balanced' })
  const { port } = await startGateway(context, { config })
  const client = grpcClient(context, port)
  const codes: number[] = []
  let isRunning = true
  const calling = Promise.all(
    Array.from({ length: 8 }, async () => {
      while (isRunning) codes.push(await codeOf(client))
    }),
  )
  for (const { server, port: taken } of upstreams) {
    const before = codes.length
    await until(() => codes.length > before + 50)
    await new Promise((resolve) => server.tryShutdown(resolve))
    await startGrpcServer(context, {}, { port: taken })
  }
  const before = codes.length
  await until(() => codes.length > before + 50)
  isRunning = false
  await calling
  assert.deepEqual([...new Set(codes)], [status.OK])
})
