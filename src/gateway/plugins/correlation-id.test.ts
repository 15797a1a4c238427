import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { type Ask, addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'

/** What the service was sent, and what the client got, in the header of the plugin. */
async function correlated(context: TestContext, options: Record<string, unknown>) {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] })
  config.add('plugins', { name: 'correlation-id', config: options })
  const dispatch = (request: IncomingMessage, response: ServerResponse) =>
    response.end(String(request.headers['kong-request-id'] ?? ''))
  const { port } = await startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }) })
  return async (request: Ask = {}) => {
    const { body, headers } = await ask(port, '/', request)
    return { upstream: body, client: headers['kong-request-id'] }
  }
}

test('every request gets the id of the process and its own number', async (context) => {
  const send = await correlated(context, {})
  const ids = [(await send()).upstream, (await send()).upstream]
  const [first, second] = ids.map((id) => id.split('#'))
  assert.match(first?.[0] ?? '', /^[0-9a-f-]{36}$/)
  assert.equal(second?.[0], first?.[0])
  assert.equal(Number(second?.[1]), Number(first?.[1]) + 1)
})

test('an id that came with the request stays', async (context) => {
  const send = await correlated(context, { echo_downstream: true })
  assert.deepEqual(await send({ headers: { 'Kong-Request-ID': 'mine' } }), { upstream: 'mine', client: 'mine' })
})

test('the client gets the id only when it is echoed', async (context) => {
  const silent = await correlated(context, { generator: 'uuid' })
  assert.equal((await silent()).client, undefined)
  const echoing = await correlated(context, { generator: 'tracker', echo_downstream: true })
  const { upstream, client } = await echoing()
  assert.equal(client, upstream)
  assert.match(upstream, new RegExp(`^127\\.0\\.0\\.1-\\d+-${process.pid}-\\d+-1-\\d+\\.\\d{3}$`))
})
