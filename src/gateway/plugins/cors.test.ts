import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import type { Answer } from '../gateway-fixture.ts'
import { everywhere, guarded, type Place, seenBy } from './plugin-fixture.ts'

async function sharing(context: TestContext, settings: Record<string, unknown> = {}, place: Place = 'in process') {
  const gateway = await guarded(context, {
    place,
    service: (_request, response) => {
      response.writeHead(200, { 'access-control-allow-origin': 'upstream', vary: 'Accept' })
      response.end('{}')
    },
  })
  gateway.plug('cors', settings)
  const from = (origin: string) => gateway.send('/', { headers: { origin } })
  const preflight = (origin: string, more: Record<string, string> = {}) =>
    gateway.send('/', { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'PUT', ...more } })
  return { ...gateway, from, preflight }
}

/** What the plugin says, by the last part of the headers' names. */
function said({ status, headers }: Answer) {
  const names = Object.keys(headers).filter((name) => name.startsWith('access-control-') || name === 'vary')
  return [status, Object.fromEntries(names.map((name) => [name.replace('access-control-', ''), headers[name]]))]
}

const METHODS = 'GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT'

everywhere('a preflight is answered, everything else decorated', async (context, place) => {
  const { preflight, from, send } = await sharing(context, {}, place)
  const answer = await preflight('https://a.test', { 'access-control-request-headers': 'x-one,x-two' })
  const expected = { 'allow-origin': '*', 'allow-methods': METHODS, 'allow-headers': 'x-one,x-two' }
  assert.deepEqual(said(answer), [200, expected])
  assert.deepEqual([answer.body, answer.headers['content-length']], ['', '0'])
  assert.deepEqual(said(await from('https://a.test')), [200, { 'allow-origin': '*', vary: 'Accept' }])
  assert.deepEqual(said(await send('/')), [200, { 'allow-origin': '*', vary: 'Accept' }])
  assert.equal((await send('/', { method: 'OPTIONS' })).body, '{}', 'OPTIONS alone is no preflight')
})

test('with credentials the origin is echoed instead of a star', async (context) => {
  const { preflight, from, send } = await sharing(context, { credentials: true })
  const echoed = { 'allow-origin': 'https://a.test', 'allow-credentials': 'true', vary: 'Accept, Origin' }
  assert.deepEqual(said(await from('https://a.test')), [200, echoed])
  assert.deepEqual(said(await send('/')), [200, { 'allow-origin': '*', vary: 'Accept' }])
  const [, preflighted] = said(await preflight('https://a.test'))
  assert.deepEqual(preflighted, { ...echoed, vary: 'Origin', 'allow-methods': METHODS })
})

test('a single origin is announced to everybody', async (context) => {
  const { from } = await sharing(context, { origins: ['https://a.test'] })
  assert.deepEqual(said(await from('https://b.test')), [
    200,
    { 'allow-origin': 'https://a.test', vary: 'Accept, Origin' },
  ])
})

test('of several origins the one that asks is allowed, and no other', async (context) => {
  const origins = [
    'https://a.test',
    'https://b.test:8443',
    'https://(one|two)\\.c\\.test',
    '.*\\.d\\.test',
    'http://e.test:80',
  ]
  const { from } = await sharing(context, { origins, credentials: false })
  const allowed = ['https://a.test', 'https://b.test:8443', 'https://two.c.test', 'http://x.d.test', 'http://e.test']
  const denied = [
    'http://a.test',
    'https://a.test.evil',
    'https://b.test',
    'https://one.c.test.evil',
    'https://evil/one.c.test',
    'http://d.test.evil',
    'null',
  ]
  for (const origin of allowed) {
    assert.deepEqual(said(await from(origin)), [200, { 'allow-origin': origin, vary: 'Accept, Origin' }])
  }
  for (const origin of denied) assert.deepEqual(said(await from(origin)), [200, { vary: 'Accept, Origin' }], origin)
})

test('preflights carry what is configured', async (context) => {
  const settings = { methods: ['GET', 'PUT'], headers: ['x-a', 'x-b'], max_age: 23, private_network: true }
  const { preflight, from } = await sharing(context, { ...settings, exposed_headers: ['x-c', 'x-d'] })
  assert.deepEqual(said(await preflight('https://a.test', { 'access-control-request-private-network': 'true' })), [
    200,
    {
      'allow-origin': '*',
      'allow-methods': 'GET,PUT',
      'allow-headers': 'x-a,x-b',
      'allow-private-network': 'true',
      'max-age': '23',
    },
  ])
  const [, decorated] = said(await from('https://a.test'))
  assert.deepEqual(decorated, { 'allow-origin': '*', 'expose-headers': 'x-c,x-d', vary: 'Accept' })
})

test('preflights go to the service when they are to, and are left as they come back', async (context) => {
  const { preflight } = await sharing(context, { preflight_continue: true, origins: ['https://a.test'] })
  assert.deepEqual(said(await preflight('https://a.test')), [200, { 'allow-origin': 'upstream', vary: 'Accept' }])
})

test('requests without an origin are left alone when they are to', async (context) => {
  const { send } = await sharing(context, { allow_origin_absent: false })
  assert.deepEqual(said(await send('/')), [200, { 'allow-origin': 'upstream', vary: 'Accept' }])
})

test('what the gateway refuses is decorated too, and preflights need no key', async (context) => {
  const { from, preflight, plug } = await sharing(context)
  plug('key-auth')
  assert.deepEqual(said(await from('https://a.test')), [401, { 'allow-origin': '*' }])
  assert.equal((await preflight('https://a.test')).status, 200)
})

test('a service that sets headers one by one is decorated as well', async (context) => {
  const gateway = await guarded(context, {
    service: (_request, response) => {
      response.setHeader('Vary', 'Accept')
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      response.writeHead(200)
      response.end('{"url":"","headers":{},"body":""}')
    },
  })
  gateway.plug('cors', { origins: ['https://a.test'] })
  const answer = await gateway.send('/', { headers: { origin: 'https://a.test' } })
  assert.deepEqual([answer.headers.vary, answer.headers['set-cookie']], ['Accept, Origin', ['a=1', 'b=2']])
  assert.equal(seenBy(answer).url, '')
})

test('an origin that is no regular expression is refused', async (context) => {
  const { plug } = await guarded(context)
  assert.throws(() => plug('cors', { origins: ['*', '(['] }), /is not a valid regex/)
})
