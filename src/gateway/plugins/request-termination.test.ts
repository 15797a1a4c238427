import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { addRoute, ask, askByTls, ConfigFixture, startGateway } from '../gateway-fixture.ts'
import { everywhere, guarded, type Place } from './plugin-fixture.ts'

async function terminated(context: TestContext, settings: Record<string, unknown> = {}, place: Place = 'in process') {
  const gateway = await guarded(context, { place })
  gateway.plug('request-termination', settings)
  return gateway
}

everywhere('every request is answered in place of the service', async (context, place) => {
  const { send } = await terminated(context, {}, place)
  const { status, headers, body } = await send('/')
  assert.deepEqual([status, body], [503, '{"message":"Service unavailable"}'])
  assert.equal(headers['content-type'], 'application/json; charset=utf-8')
  assert.match(String(headers['x-kong-response-latency']), /^\d+$/)
})

test('status, message and body are configured', async (context) => {
  const cases: readonly (readonly [Record<string, unknown>, number, string, string | undefined])[] = [
    [{ status_code: 404 }, 404, '{"message":"Not found"}', 'application/json; charset=utf-8'],
    [{ status_code: 406, message: 'no "x"' }, 406, '{"message":"no \\"x\\""}', 'application/json; charset=utf-8'],
    [{ status_code: 418 }, 418, '', undefined],
    [{ status_code: 200, body: '<p>', content_type: 'text/html' }, 200, '<p>', 'text/html'],
    [{ status_code: 204 }, 204, '', undefined],
  ]
  for (const [settings, status, body, type] of cases) {
    const { send } = await terminated(context, settings)
    const answer = await send('/')
    assert.deepEqual([answer.status, answer.body, answer.headers['content-type']], [status, body, type])
  }
})

test('with a trigger only requests that carry it are answered', async (context) => {
  const { send } = await terminated(context, { trigger: 'X-Stop', status_code: 405 })
  assert.equal((await send('/')).status, 200)
  assert.equal((await send('/', { headers: { 'x-stop': '1' } })).status, 405)
  for (const query of ['?X-Stop=1', '?X-Stop', '?a&X-Stop=']) assert.equal((await send(`/${query}`)).status, 405, query)
  assert.equal((await send('/?X-Stopped&y=X-Stop')).status, 200)
})

test('an echo describes the request', async (context) => {
  const { send } = await terminated(context, { echo: true, status_code: 404 })
  const headers = { 'content-type': 'application/json', 'content-length': '7' }
  const { status, body } = await send('/a/b?x=1&x=2&flag', { method: 'POST', headers, body: '{"a":1}' })
  const { message, request, matched_route, matched_service } = JSON.parse(body)
  assert.deepEqual([status, message, request.method, request.path], [404, 'Not found', 'POST', '/a/b'])
  assert.deepEqual(
    [request.query, request.raw_body, request.body],
    [{ x: ['1', '2'], flag: true }, '{"a":1}', { a: 1 }],
  )
  assert.deepEqual([matched_route.paths, matched_service.host], [['/'], '127.0.0.1'])
})

test('an echo of a request by TLS says so, and has the port of TLS', async (context) => {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] })
  config.add('plugins', { name: 'request-termination', config: { echo: true } })
  const { port, tlsPort } = await startGateway(context, { config })
  const { request } = JSON.parse(await askByTls(tlsPort, '/'))
  assert.deepEqual([request.scheme, request.host, request.port], ['https', '127.0.0.1', tlsPort])
  const plain = JSON.parse((await ask(port, '/')).body).request
  assert.deepEqual([plain.scheme, plain.port], ['http', port])
})

test('combinations that contradict each other are refused', async (context) => {
  const { plug } = await guarded(context)
  const refused = (settings: Record<string, unknown>, message: RegExp) =>
    assert.throws(() => plug('request-termination', settings), message)
  refused({ message: 'x', body: 'y' }, /message cannot be used with content_type or body/)
  refused({ content_type: 'text/plain' }, /content_type requires a body/)
  refused({ echo: true, body: 'x' }, /echo cannot be used with content_type and body/)
  refused({ status_code: 600 }, /value should be between 100 and 599/)
  refused({ status_code: 101 }, /an informational status ends no request/)
})
