import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { type Ask, addRoute, ask, ConfigFixture, StandingClock, startGateway } from '../gateway-fixture.ts'

/** A gateway before two services that answer with their name, the path and the host; of one the plugin is. */
async function start(context: TestContext, settings: Record<string, unknown>, place: Record<string, unknown> = {}) {
  const config = new ConfigFixture()
  const { service } = addRoute(config, { paths: ['/shop'] }, { host: 'stable', path: '/base' })
  const given = { upstream_host: 'canary', ...place, ...settings }
  const plugin = config.add('plugins', { name: 'canary', config: given, service: { id: service.id } })
  const clock = new StandingClock('2025-03-15T10:00:00Z')
  const resolve = ({ host }: { readonly host: string }) => ({
    kind: 'local' as const,
    dispatch: (request: IncomingMessage, response: ServerResponse) => {
      response.end(`${host} ${request.url} ${request.headers.host}`)
    },
  })
  const { port } = await startGateway(context, { config, clock, resolve, trustedIps: ['127.0.0.1'] })
  const send = async (headers: Ask['headers'] = {}) => (await ask(port, '/shop/x?y', { headers })).body
  const isCanary = async (headers?: Ask['headers']) => (await send(headers)).startsWith('canary')
  return { config, plugin, service, clock, port, send, isCanary }
}

const from = (client: number) => ({ 'x-real-ip': `10.0.${client >> 8}.${client & 255}` })

async function share(isCanary: (headers: Ask['headers']) => Promise<boolean>, count = 120): Promise<Set<number>> {
  const chosen = new Set<number>()
  for (let client = 0; client < count; client++) if (await isCanary(from(client))) chosen.add(client)
  return chosen
}

test('by turns the canary gets exactly its percentage, evenly spread', async (context) => {
  const { isCanary } = await start(context, { hash: 'none', percentage: 25 })
  const turns: boolean[] = []
  for (let request = 0; request < 40; request++) turns.push(await isCanary())
  assert.deepEqual(
    turns.map((isTurn, index) => (isTurn ? index : -1)).filter((index) => index >= 0),
    [3, 7, 11, 15, 19, 23, 27, 31, 35, 39],
  )
})

test('host and port are the canary’s, the path is that of the service unless the canary has its own', async (context) => {
  const moved = await start(context, { percentage: 100, upstream_port: 81 })
  assert.equal(await moved.send(), 'canary /base/x?y canary:81')
  const own = await start(context, { percentage: 100, upstream_uri: '/v2' })
  assert.equal(await own.send(), 'canary /v2?y canary')
  const same = await start(context, { percentage: 100, upstream_uri: '/v2', upstream_host: null })
  assert.equal(await same.send(), 'stable /v2?y stable')
})

test('a canary grows with time, and who is in it stays in it', async (context) => {
  const start10 = Date.parse('2025-03-15T10:00:00Z') / 1_000
  const { isCanary, clock } = await start(context, { hash: 'ip', start: start10, duration: 1_000, steps: 100 })
  assert.equal((await share(isCanary)).size, 0)
  let before = new Set<number>()
  for (const [minute, low, high] of [
    ['10:04:10Z', 12, 50],
    ['10:08:20Z', 40, 80],
    ['10:12:30Z', 70, 108],
  ] as const) {
    clock.moveTo(`2025-03-15T${minute}`)
    const now = await share(isCanary)
    assert.ok(now.size >= low && now.size <= high, `${now.size} of 120 at ${minute}`)
    assert.ok(
      [...before].every((client) => now.has(client)),
      'somebody was sent back',
    )
    before = now
  }
  clock.moveTo('2025-03-15T10:16:40Z')
  assert.equal((await share(isCanary)).size, 120)
  clock.moveTo('2025-03-15T09:00:00Z')
  assert.equal((await share(isCanary)).size, 0)
})

test('without a start a canary grows from when the plugin was made', async (context) => {
  const { isCanary, plugin, clock } = await start(context, { hash: 'none' })
  const at = (seconds: number) => clock.moveTo(new Date((plugin.created_at + seconds) * 1_000).toISOString())
  at(0)
  assert.equal(await isCanary(), false)
  at(3_600)
  assert.equal(await isCanary(), true)
})

test('the same header always goes the same way, and without it the client decides', async (context) => {
  const { isCanary } = await start(context, { hash: 'header', hash_header: 'X-Tenant', percentage: 50 })
  const of = async (tenant: string) => {
    const answers = await Promise.all([1, 2, 3].map((client) => isCanary({ 'x-tenant': tenant, ...from(client) })))
    assert.equal(new Set(answers).size, 1, `${tenant} goes both ways`)
    return answers[0]
  }
  const tenants = await Promise.all(Array.from({ length: 40 }, (_, index) => of(`tenant-${index}`)))
  const count = tenants.filter(Boolean).length
  assert.ok(count > 8 && count < 32, `${count} of 40`)
  const strangers = await share(isCanary, 100)
  assert.ok(strangers.size > 25 && strangers.size < 75, `${strangers.size} of 100`)
})

test('clients may choose by a header', async (context) => {
  const { isCanary } = await start(context, { percentage: 0, canary_by_header_name: 'X-Canary' })
  assert.deepEqual([await isCanary({ 'x-canary': 'always' }), await isCanary({ 'x-canary': 'perhaps' })], [true, false])
  const all = await start(context, { percentage: 100, canary_by_header_name: 'X-Canary' })
  assert.deepEqual([await all.isCanary({ 'x-canary': 'never' }), await all.isCanary()], [false, true])
})

test('groups of consumers go to the canary, or all others', async (context) => {
  for (const hash of ['allow', 'deny']) {
    const { config, service, isCanary } = await start(context, { hash, groups: ['testers'] })
    config.add('plugins', { name: 'key-auth', service: { id: service.id } })
    for (const [username, group] of [
      ['tester', 'testers'],
      ['customer', 'buyers'],
    ]) {
      const { id } = config.add('consumers', { username })
      config.add('keyauth_credentials', { key: username, consumer: { id } })
      config.add('acls', { group, consumer: { id } })
    }
    const seen = [await isCanary({ apikey: 'tester' }), await isCanary({ apikey: 'customer' })]
    assert.deepEqual(seen, [hash === 'allow', hash === 'deny'])
  }
})

test('a canary whose upstream has no usable target gives its requests back, if it may', async (context) => {
  for (const upstream_fallback of [true, false]) {
    const { config, send } = await start(context, { percentage: 100, upstream_fallback, upstream_host: 'new-version' })
    const { id } = config.add('upstreams', { name: 'new-version' })
    if (!upstream_fallback) assert.match(await send(), /failure to get a peer/)
    else assert.match(await send(), /^stable/)
    config.add('targets', { target: 'canary:80', upstream: { id } })
    await until(async () => (await send()).startsWith('canary'), { what: 'the target to be used' })
  }
})

test('a canary that leads nowhere, or that has nothing to decide by, is refused', () => {
  const config = new ConfigFixture()
  const add = (settings: object) => config.add('plugins', { name: 'canary', config: settings })
  assert.throws(() => add({ percentage: 10 }), /at least one of these fields must be non-empty/)
  assert.throws(() => add({ upstream_port: 81, hash: 'header' }), /failed conditional validation given value of field/)
  assert.throws(() => add({ upstream_port: 81, hash: 'deny' }), /failed conditional validation given value of field/)
  assert.throws(() => add({ upstream_port: 81, upstream_fallback: true }), /failed conditional validation/)
  assert.throws(() => add({ upstream_host: 'x', percentage: 101 }), /between 0 and 100/)
  assert.throws(() => add({ upstream_host: 'x', steps: 1 }), /greater than 1/)
})
