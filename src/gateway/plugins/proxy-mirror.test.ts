import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, request as httpRequest, IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo, Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { randomSequence } from '../../core/index.ts'
import { until } from '../../testing/index.ts'
import { BodyCopy, CopyMemory } from '../body-copy.ts'
import { type RequestMirrored, requestMirrored } from '../channels.ts'
import { ask } from '../gateway-fixture.ts'
import { COPIED_BODIES_BYTES_MAX } from '../limits.ts'
import { pluggedIn, type Seen } from './plugged-in-fixture.ts'

/** A server that keeps what it was sent, and answers when `answer` says so. */
async function startMirror(
  context: TestContext,
  answer: (response: ServerResponse) => void = (response) => response.end(),
) {
  const seen: Seen[] = []
  const server = createServer(async (request: IncomingMessage, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const { method, url, headers } = request
    seen.push({ method, url, headers, body: Buffer.concat(chunks).toString() })
    answer(response)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => {
    server.closeAllConnections()
    server.close()
  })
  return { seen, host: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

/** A gateway with the plugin, and what it says of copies. */
async function mirrored(
  context: TestContext,
  config: Record<string, unknown>,
  more: Parameters<typeof pluggedIn>[1] = [],
) {
  const facts: RequestMirrored[] = []
  context.after(requestMirrored.subscribe((fact) => void facts.push(fact)))
  const random = randomSequence(7)
  const gateway = await pluggedIn(context, [{ name: 'proxy-mirror', config }, ...more], { random })
  const outcomes = async (count: number) => {
    await until(() => facts.length === count, { what: `${count} copies to be told` })
    return facts.map(({ outcome }) => outcome)
  }
  return { ...gateway, facts, outcomes }
}

test('the mirror gets what the service got, and the client the service’s answer alone', async (context) => {
  const mirror = await startMirror(context, (response) => response.writeHead(500).end('broken'))
  const { port, seen, outcomes } = await mirrored(context, { host: mirror.host })
  const sent = { method: 'POST', headers: { 'content-type': 'text/plain', 'x-mine': '1' }, body: 'x'.repeat(5_000) }
  const { status, body } = await ask(port, '/orders?a=1', sent)
  assert.deepEqual([status, body], [200, 'fine'])
  assert.deepEqual(await outcomes(1), ['answered'])
  const [original, copy] = [seen[0], mirror.seen[0]]
  assert.deepEqual([copy?.method, copy?.url, copy?.body], ['POST', '/orders?a=1', sent.body])
  for (const name of ['x-mine', 'content-type', 'x-kong-request-id', 'x-forwarded-host', 'traceparent']) {
    assert.equal(copy?.headers[name], original?.headers[name], name)
  }
  assert.equal(copy?.headers.host, new URL(mirror.host).host)
})

test('a body in chunks is copied whole, also when another plugin lets it wait', async (context) => {
  const mirror = await startMirror(context)
  const auth = { name: 'basic-auth', config: {} }
  const { config, port, outcomes } = await mirrored(context, { host: mirror.host }, [auth])
  const { id } = config.add('consumers', { username: 'bob' })
  config.add('basicauth_credentials', { username: 'bob', password: 'secret', consumer: { id } })
  const headers = { authorization: `Basic ${Buffer.from('bob:secret').toString('base64')}` }
  const outgoing = httpRequest({ host: '127.0.0.1', port, method: 'POST', headers })
  outgoing.write('first ')
  outgoing.end('second')
  const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
  answer.resume()
  assert.deepEqual(await outcomes(1), ['answered'])
  assert.equal(mirror.seen[0]?.body, 'first second')
})

test('the path may be another, or have one before it', async (context) => {
  const mirror = await startMirror(context)
  for (const [path_concat_mode, url] of [
    ['replace', '/copy?a=1'],
    ['prefix', '/copy/orders?a=1'],
  ]) {
    const { port, outcomes } = await mirrored(context, { host: mirror.host, path: '/copy', path_concat_mode })
    await ask(port, '/orders?a=1')
    await outcomes(1)
    assert.equal(mirror.seen.pop()?.url, url)
  }
})

test('only sampled requests of the methods are copied, and none that no service got', async (context) => {
  const mirror = await startMirror(context)
  const sampled = await mirrored(context, { host: mirror.host, sample_ratio: 0.5, methods: ['GET'] })
  for (let request = 0; request < 40; request++) await ask(sampled.port, '/')
  await ask(sampled.port, '/', { method: 'DELETE' })
  const random = randomSequence(7)
  const expected = Array.from({ length: 40 }, random).filter((number) => number < 0.5).length
  assert.equal((await sampled.outcomes(expected)).length, expected)
  assert.ok(mirror.seen.every(({ method }) => method === 'GET'))

  const { config, port, facts, plugins } = await mirrored(context, { host: mirror.host }, [
    { name: 'key-auth', config: {} },
  ])
  const { id } = config.add('consumers', { username: 'bob' })
  config.add('keyauth_credentials', { key: 'secret', consumer: { id } })
  assert.equal((await ask(port, '/', { method: 'POST', body: 'x' })).status, 401)
  assert.equal((await ask(port, '/', { headers: { apikey: 'secret' } })).status, 200)
  const own = () => facts.filter(({ plugin }) => plugin === plugins[0]?.id)
  await until(() => own().length > 0, { what: 'the copy of the second request' })
  assert.deepEqual([own().length, mirror.seen.at(-1)?.method], [1, 'GET'])
})

test('a mirror that hangs, is full or is gone costs the requests nothing', async (context) => {
  const hanging = await startMirror(context, () => {})
  const { port, outcomes, seen } = await mirrored(context, { host: hanging.host, concurrency: 2, timeout: 60_000 })
  await ask(port, '/')
  await ask(port, '/')
  await until(() => hanging.seen.length === 2, { what: 'both copies to arrive' })
  const { status } = await ask(port, '/')
  assert.deepEqual([status, await outcomes(1)], [200, ['busy']])
  assert.equal(seen.length, 3)

  const late = await mirrored(context, { host: hanging.host, timeout: 1 })
  assert.equal((await ask(late.port, '/')).status, 200)
  assert.deepEqual(await late.outcomes(1), ['failed'])
  const gone = await mirrored(context, { host: 'http://127.0.0.1:1' })
  assert.equal((await ask(gone.port, '/', { method: 'POST', body: 'x' })).status, 200)
  assert.deepEqual(await gone.outcomes(1), ['failed'])
})

test('a mirror whose answer does not end is given up in time', async (context) => {
  const mirror = await startMirror(
    context,
    (response) => void response.writeHead(200, { 'content-length': 9 }).write('x'),
  )
  const { port, outcomes } = await mirrored(context, { host: mirror.host, timeout: 300 })
  assert.equal((await ask(port, '/')).status, 200)
  assert.deepEqual(await outcomes(1), ['failed'])
})

test('a body above the limit goes to the service and not to the mirror, whether its length is announced or not', async (context) => {
  const mirror = await startMirror(context)
  const { port, seen, outcomes } = await mirrored(context, { host: mirror.host, body_bytes_max: 10 })
  const body = 'x'.repeat(11)
  await ask(port, '/', { method: 'POST', body, headers: { 'content-length': '11' } })
  await ask(port, '/', { method: 'POST', body, headers: { 'transfer-encoding': 'chunked' } })
  assert.deepEqual(await outcomes(2), ['body-too-large', 'body-too-large'])
  assert.deepEqual([seen.map((one) => one.body), mirror.seen], [[body, body], []])
})

test('all copies together are bounded, and give their room back', () => {
  const memory = new CopyMemory()
  assert.ok(memory.take(COPIED_BODIES_BYTES_MAX - 1))
  const request = new IncomingMessage(new Socket())
  const copy = new BodyCopy(request, memory, 10)
  request.push(Buffer.from('a'))
  request.push(Buffer.from('b'))
  request.push(null)
  assert.equal(copy.result(), 'memory-full')
  copy.release()
  assert.ok(memory.take(1))
})

test('a host with a path, or of another scheme, is refused', async (context) => {
  const { config } = await pluggedIn(context, [])
  for (const host of ['http://a/path', 'ftp://a', 'a:80', 'http://user:secret@a']) {
    assert.throws(() => config.add('plugins', { name: 'proxy-mirror', config: { host } }), /must be http/, host)
  }
  config.add('plugins', { name: 'proxy-mirror', config: { host: 'http://a:80' } })
})
