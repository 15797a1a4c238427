import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'
import { everywhere, guarded } from './plugin-fixture.ts'

everywhere('an address that is denied gets 403, also when it is allowed', async (context, place) => {
  const { plug, send } = await guarded(context, { place })
  plug('ip-restriction', { allow: ['127.0.0.0/8'], deny: ['127.0.0.1'] })
  const answer = await send('/')
  const id = answer.headers['x-kong-request-id']
  const body = `{\n  "message":"IP address not allowed: 127.0.0.1",\n  "request_id":"${id}"\n}`
  assert.deepEqual([answer.status, answer.body], [403, body])
})

/** A gateway that believes what the client says of its address. */
async function behindProxy(context: TestContext, settings: Record<string, unknown>) {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] })
  config.add('plugins', { name: 'ip-restriction', config: settings })
  const { port } = await startGateway(context, {
    config,
    trustedIps: ['127.0.0.1'],
    resolve: () => ({ kind: 'local', dispatch: (_request, response) => response.end() }),
  })
  return async (ip: string) => (await ask(port, '/', { headers: { 'x-real-ip': ip } })).status
}

test('addresses and ranges of both families are told apart', async (context) => {
  const statusOf = await behindProxy(context, { allow: ['10.0.0.0/8', '192.168.7.7', '2001:db8::/32', '::1'] })
  const allowed = ['10.255.0.1', '192.168.7.7', '2001:db8:ffff::1', '::1', '::ffff:10.0.0.1']
  for (const ip of allowed) assert.equal(await statusOf(ip), 200, ip)
  for (const ip of ['11.0.0.1', '192.168.7.8', '2001:db9::1', 'nonsense']) assert.equal(await statusOf(ip), 403, ip)
})

test('with a list of the denied only, everybody else is let in', async (context) => {
  const statusOf = await behindProxy(context, { deny: ['10.0.0.0/8'], status: 418, message: 'no' })
  assert.deepEqual([await statusOf('10.0.0.1'), await statusOf('11.0.0.1')], [418, 200])
})

test('what is no address is refused when it is configured', async (context) => {
  const { plug } = await guarded(context)
  for (const value of ['hello', '257.0.0.1', '10.0.0.0/33', '::/129', '1.1.1.1/8/8', '10.0.0.0/x']) {
    assert.throws(() => plug('ip-restriction', { allow: [value] }), new RegExp(`invalid ip or cidr range: '${value}'`))
  }
  assert.throws(() => plug('ip-restriction'), /at least one of these fields must be non-empty/)
})
