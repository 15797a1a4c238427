import assert from 'node:assert/strict'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { type Answer, type Ask, addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'

/**
 * A gateway that asks for keys, with the consumer `bob`, whose key is `secret`; the service answers what it was sent.
 */
async function guarded(context: TestContext, options: Record<string, unknown> = {}) {
  const config = new ConfigFixture()
  const { route } = addRoute(config, { paths: ['/'], strip_path: false })
  const bob = config.add('consumers', { username: 'bob', custom_id: 'b-1' })
  const guest = config.add('consumers', { username: 'guest' })
  const credential = config.add('keyauth_credentials', { key: 'secret', consumer: { id: bob.id } })
  config.add('plugins', { name: 'key-auth', config: options, route: { id: route.id } })
  const dispatch = (request: IncomingMessage, response: ServerResponse) =>
    response.end(JSON.stringify({ url: request.url, headers: request.headers }))
  const { port } = await startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }) })
  return { config, port, bob, guest, credential, send: (path: string, ask_: Ask = {}) => ask(port, path, ask_) }
}

const seenBy = (answer: Answer) => JSON.parse(answer.body) as { url: string; headers: IncomingHttpHeaders }
const message = (answer: Answer) => [answer.status, JSON.parse(answer.body).message, answer.headers['www-authenticate']]

test('requests without a key, or with a wrong one, are refused in Kong’s words', async (context) => {
  const { send } = await guarded(context)
  const missing = await send('/')
  assert.deepEqual(message(missing), [401, 'No API key found in request', 'Key'])
  const id = missing.headers['x-kong-request-id']
  assert.equal(missing.body, `{\n  "message":"No API key found in request",\n  "request_id":"${id}"\n}`)
  assert.match(String(missing.headers['x-kong-response-latency']), /^\d+$/)
  assert.equal(missing.headers.server, 'kong/3.9.1')
  assert.equal(missing.headers.via, undefined)
  assert.deepEqual(message(await send('/', { headers: { apikey: '' } })), [401, 'No API key found in request', 'Key'])
  assert.deepEqual(message(await send('/', { headers: { apikey: 'wrong' } })), [401, 'Unauthorized', 'Key'])
  assert.deepEqual(message(await send('/?apikey=a&apikey=b')), [401, 'Duplicate API key found', 'Key'])
  const twice = await send('/', { headers: { apikey: ['secret', 'secret'] } })
  assert.deepEqual(message(twice), [401, 'Duplicate API key found', 'Key'])
})

test('a key in the header or the query tells the service who calls', async (context) => {
  const { send, bob, credential } = await guarded(context)
  for (const answer of [await send('/', { headers: { apikey: 'secret' } }), await send('/?apikey=secret')]) {
    const { headers } = seenBy(answer)
    assert.equal(headers['x-consumer-id'], bob.id)
    assert.equal(headers['x-consumer-username'], 'bob')
    assert.equal(headers['x-consumer-custom-id'], 'b-1')
    assert.equal(headers['x-credential-identifier'], credential.id)
    assert.equal(headers['x-anonymous-consumer'], undefined)
  }
})

test('nobody can claim to be a consumer, on routes without authentication either', async (context) => {
  const { send, config, bob } = await guarded(context)
  const claims = {
    'X-Consumer-ID': 'x',
    'X-Consumer-Custom-ID': 'x',
    'X-Consumer-Username': 'root',
    'X-Credential-Identifier': 'x',
    'X-Anonymous-Consumer': 'x',
  }
  const hidden = { ...claims, apikey: 'secret', Connection: 'close, X-Consumer-ID, X-Consumer-Username' }
  const { headers } = seenBy(await send('/', { headers: hidden }))
  assert.deepEqual([headers['x-consumer-id'], headers['x-consumer-username']], [bob.id, 'bob'])
  assert.equal(headers['x-anonymous-consumer'], undefined)
  for (const { id } of config.snapshot().plugins) config.remove('plugins', id)
  const open = seenBy(await send('/', { headers: claims })).headers
  for (const name of Object.keys(claims)) assert.equal(open[name.toLowerCase()], undefined)
})

test('other names, a realm, and only the query', async (context) => {
  const { send } = await guarded(context, { key_names: ['X-Key'], key_in_header: false, realm: 'shop' })
  assert.equal((await send('/?X-Key=secret')).status, 200)
  const refused = await send('/', { headers: { 'x-key': 'secret' } })
  assert.deepEqual(message(refused), [401, 'No API key found in request', 'Key realm="shop"'])
})

test('hidden credentials do not reach the service', async (context) => {
  const { send } = await guarded(context, { hide_credentials: true })
  assert.equal(seenBy(await send('/', { headers: { apikey: 'secret' } })).headers.apikey, undefined)
  assert.equal(seenBy(await send('/x?a=%20&apikey=secret&b')).url, '/x?a=%20&b')
})

test('without a key a request may go on as the anonymous consumer', async (context) => {
  const { send, guest } = await guarded(context, { anonymous: 'guest' })
  const { headers } = seenBy(await send('/'))
  assert.deepEqual([headers['x-consumer-id'], headers['x-anonymous-consumer']], [guest.id, 'true'])
  assert.equal(headers['x-credential-identifier'], undefined)
})

test('an anonymous consumer that does not exist is an error of the gateway', async (context) => {
  const { send } = await guarded(context, { anonymous: 'nobody' })
  const answer = await send('/')
  assert.deepEqual([answer.status, JSON.parse(answer.body).message], [500, 'An unexpected error occurred'])
})

test('preflights need a key unless they are exempt', async (context) => {
  const strict = await guarded(context)
  assert.equal((await strict.send('/', { method: 'OPTIONS' })).status, 401)
  const exempt = await guarded(context, { run_on_preflight: false })
  assert.equal((await exempt.send('/', { method: 'OPTIONS' })).status, 200)
})
