import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { after, before, test } from 'node:test'
import { app } from '../../core/index.ts'
import {
  type AdminApi,
  createAdminApi,
  createConfigStore,
  createDeclarativeStore,
  gatewayMigrations,
  installedPlugins as plugins,
} from '../../gateway/index.ts'
import { startTestCluster } from '../../testing/index.ts'
import { createConsole } from '../console.ts'
import { createFixtureView } from '../telemetry-fixture.ts'
import { Admin } from './admin.ts'
import type { GatewayConfiguration, GatewayPlugin } from './configuration.ts'
import { MASK, maskErrors, masked } from './secrets.ts'

/** The console's API about the gateway, over a real Admin API with a token, and a real database behind that. */

type Fields = Record<string, unknown>

const TOKEN = 'a-token-of-the-admin'
const connections = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }
const info = { version: '3.9.1', nodeId: randomUUID(), hostname: 'test', connections: () => connections }
const stop = { deadlineAtMs: 0 }

let testCluster: Awaited<ReturnType<typeof startTestCluster>>
let store: ReturnType<typeof createConfigStore>
let admin: AdminApi
let adminUrl: string | undefined
let origin = ''
const view = createFixtureView({ startedAtMs: 1_700_000_000_000, seconds: 1 })
const made = await createConsole({
  app: app('shop', { services: [] }),
  view,
  shards: [],
  pages: (_request, response) => void response.writeHead(404).end(),
  adminUrl: () => adminUrl,
})

before(async () => {
  testCluster = await startTestCluster({ shards: 1, migrations: [gatewayMigrations] })
  store = createConfigStore({ cluster: testCluster.cluster, plugins })
  await store.start()
  admin = createAdminApi({ store, plugins, info, token: TOKEN })
  adminUrl = `http://127.0.0.1:${(await admin.listen({ host: '127.0.0.1', port: 0 })).port}`
  origin = `http://127.0.0.1:${(await made.listen({ host: '127.0.0.1', port: 0 })).port}`
})

after(async () => {
  await made.close(stop)
  await admin.close(stop)
  await store.stop(stop)
  await testCluster.stop()
})

type Sent = { readonly body?: unknown; readonly headers?: Record<string, string> }

/** Not by fetch, which lets nobody set the headers that browsers keep for themselves. */
async function call(method: string, path: string, { body, headers = {} }: Sent = {}) {
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  return new Promise<{ status: number; body: Fields }>((resolve, reject) => {
    const request = httpRequest(origin + path, {
      method,
      headers: { 'kong-admin-token': TOKEN, ...type, ...headers },
      agent: false,
    })
    request.on('error', reject)
    request.on('response', async (response) => {
      const text = (await response.toArray()).join('')
      resolve({ status: response.statusCode ?? 0, body: text === '' ? {} : JSON.parse(text) })
    })
    request.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

async function add(path: string, body: Fields): Promise<Fields> {
  const headers = { 'kong-admin-token': TOKEN, 'content-type': 'application/json' }
  const response = await fetch(adminUrl + path, { method: 'POST', headers, body: JSON.stringify(body) })
  const answer = (await response.json()) as Fields
  assert.equal(response.status, 201, JSON.stringify(answer))
  return answer
}

async function configuration(): Promise<GatewayConfiguration> {
  const { status, body } = await call('GET', '/api/gateway')
  assert.equal(status, 200, JSON.stringify(body))
  return body as unknown as GatewayConfiguration
}

test('the configuration has every kind of entity, consumers without a credential, and plugins without a secret', async () => {
  const service = await add('/services', { name: 'echo', url: 'http://echo.pool:8080/base' })
  const route = await add('/services/echo/routes', { name: 'echo', paths: ['/echo'], methods: ['GET'] })
  const consumer = await add('/consumers', { username: 'partner' })
  await add('/consumers/partner/key-auth', { key: 'partners-own-key' })
  await add('/consumers/partner/acls', { group: 'gold' })
  await add('/routes/echo/plugins', {
    name: 'rate-limiting',
    config: { minute: 5, policy: 'redis', redis: { host: 'redis', password: 'open-sesame' } },
  })
  await add('/upstreams', { name: 'echo.pool' })
  await add('/upstreams/echo.pool/targets', { target: '127.0.0.1:9000', weight: 10 })
  const shown = await configuration()
  const { id, name, url, enabled } = shown.services.find((one) => one.id === service.id) ?? {}
  assert.deepEqual([id, name, url, enabled], [service.id, 'echo', 'http://echo.pool:8080/base', true])
  assert.deepEqual(shown.routes[0]?.service, service.id)
  assert.deepEqual(shown.consumers, [
    { id: consumer.id, username: 'partner', customId: null, credentials: { 'key-auth': 1 }, groups: ['gold'] },
  ])
  const [limit] = shown.plugins
  assert.deepEqual([limit?.route, limit?.consumer, limit?.config.minute], [route.id, undefined, 5])
  const [pool] = shown.upstreams
  assert.deepEqual(
    [pool?.name, pool?.targets[0]?.target, pool?.targets[0]?.health],
    ['echo.pool', '127.0.0.1:9000', 'DNS_ERROR'],
  )
  assert.doesNotMatch(JSON.stringify(shown), /partners-own-key|open-sesame/)
  assert.deepEqual({ ...(limit?.config.redis as Fields | undefined) }.password, MASK)
  assert.deepEqual([shown.isReadOnly, shown.incomplete], [false, []])
  assert.equal(shown.installed.includes('request-termination'), true)
})

test('a plugin is added, changed, switched off and deleted, and the Admin API’s refusals come with their fields', async () => {
  const added = await call('POST', '/api/gateway/plugins', {
    body: { name: 'request-termination', config: { status_code: 418 } },
  })
  const plugin = added.body as unknown as GatewayPlugin
  assert.deepEqual([added.status, plugin.config.status_code, plugin.enabled], [201, 418, true])
  const path = `/api/gateway/plugins/${plugin.id}`
  const changed = await call('PATCH', path, { body: { enabled: false, config: { status_code: 404 } } })
  assert.deepEqual(
    [changed.status, changed.body.enabled, (changed.body.config as Fields).status_code],
    [200, false, 404],
  )
  const refused = await call('PATCH', path, { body: { config: { status_code: 'x' } } })
  assert.equal(refused.status, 400)
  assert.deepEqual(refused.body.fields, { config: { status_code: 'expected an integer' } })
  const twice = await call('POST', '/api/gateway/plugins', { body: { name: 'request-termination' } })
  assert.deepEqual([twice.status, twice.body.name], [409, 'unique constraint violation'])
  assert.equal((await call('DELETE', path)).status, 204)
  assert.equal(
    (await configuration()).plugins.some((one) => one.id === plugin.id),
    false,
  )
})

test('a schema is the Admin API’s own, and what does not exist is said in its words', async () => {
  const { body } = await call('GET', '/api/gateway/schemas/rate-limiting')
  assert.equal(JSON.stringify(body).includes('limit_by'), true)
  const none = await call('GET', '/api/gateway/schemas/nonsense')
  assert.deepEqual([none.status, none.body], [404, { message: "No plugin named 'nonsense'" }])
})

test('who has no token of the Admin API has none by the console either', async () => {
  for (const token of ['', 'another-token-altogether']) {
    const headers = { 'kong-admin-token': token }
    assert.equal((await call('GET', '/api/gateway', { headers })).status, 401)
    const write = await call('POST', '/api/gateway/plugins', { headers, body: { name: 'request-termination' } })
    assert.equal(write.status, 401)
  }
  assert.equal(
    (await configuration()).plugins.some(({ name }) => name === 'request-termination'),
    false,
  )
})

test('a change comes from the console’s own page or from no browser: other pages are refused, and forms', async () => {
  const body = { name: 'request-termination' }
  const refused = async (headers: Record<string, string>) => {
    const { status, body: problem } = await call('POST', '/api/gateway/plugins', { headers, body })
    return `${status} ${problem.code}`
  }
  assert.equal(await refused({ origin: 'http://evil.example' }), '403 CONSOLE_ORIGIN_REFUSED')
  assert.equal(await refused({ origin: 'http://127.0.0.1:3000' }), '403 CONSOLE_ORIGIN_REFUSED')
  assert.equal(await refused({ origin: 'null' }), '403 CONSOLE_ORIGIN_REFUSED')
  assert.equal(await refused({ 'sec-fetch-site': 'cross-site' }), '403 CONSOLE_ORIGIN_REFUSED')
  assert.equal(await refused({ 'sec-fetch-site': 'same-site' }), '403 CONSOLE_ORIGIN_REFUSED')
  assert.equal(await refused({ host: 'evil.example' }), '403 CONSOLE_HOST_REFUSED')
  assert.equal(await refused({ 'content-type': 'text/plain' }), '415 CONSOLE_BODY_NOT_JSON')
  assert.equal(await refused({ 'content-type': 'application/x-www-form-urlencoded' }), '415 CONSOLE_BODY_NOT_JSON')
  const { status } = await call('DELETE', `/api/gateway/plugins/${randomUUID()}`, { headers: { origin: 'null' } })
  assert.equal(status, 403)
  assert.equal(
    (await configuration()).plugins.some(({ name }) => name === 'request-termination'),
    false,
  )
  const own = await call('POST', '/api/gateway/plugins', { headers: { origin, 'sec-fetch-site': 'same-origin' }, body })
  assert.equal(own.status, 201)
  assert.equal((await call('DELETE', `/api/gateway/plugins/${own.body.id}`)).status, 204)
})

test('what is too large, no path, no method or no JSON is refused before the Admin API is asked', async () => {
  const code = async (method: string, path: string, sent: Sent = {}) => {
    const { status, body } = await call(method, path, sent)
    return `${status} ${body.code}`
  }
  const body = { name: 'x'.repeat(300_000) }
  assert.equal(await code('POST', '/api/gateway/plugins', { body }), '413 CONSOLE_BODY_TOO_LARGE')
  assert.equal(await code('PUT', '/api/gateway/plugins'), '405 CONSOLE_METHOD_NOT_ALLOWED')
  assert.equal(await code('POST', '/api/gateway'), '405 CONSOLE_METHOD_NOT_ALLOWED')
  assert.equal(await code('GET', '/api/gateway/consumers'), '404 CONSOLE_PATH_UNKNOWN')
  assert.equal(await code('GET', '/api/gateway/plugins/a/b'), '404 CONSOLE_PATH_UNKNOWN')
  assert.equal(await code('DELETE', '/api/gateway/plugins/'), '404 CONSOLE_PATH_UNKNOWN')
})

test('a masked secret that comes back is refused at its field, and the secret stays', async () => {
  const { plugins: before } = await configuration()
  const path = `/api/gateway/plugins/${before.find(({ name }) => name === 'rate-limiting')?.id}`
  const refused = await call('PATCH', path, { body: { config: { minute: 7, redis: { password: MASK } } } })
  const message = 'type the secret again: it is not shown here'
  assert.deepEqual([refused.status, refused.body.fields], [400, { config: { redis: { password: message } } }])
  assert.equal((await call('PATCH', path, { body: { config: { minute: 7 } } })).status, 200)
  const { entities } = await store.page('plugins', { size: 10 })
  const { config } = entities.find(({ name }) => name === 'rate-limiting') as { config: { redis: Fields } & Fields }
  assert.deepEqual([config.minute, config.redis.password], [7, 'open-sesame'])
})

test('secrets are known by their names, in headers and in URLs; other words are left', () => {
  const config = {
    http_endpoint: 'https://user:pass@logs.example/in',
    headers: { Authorization: 'Bearer abc', Accept: 'text/plain' },
    add: { headers: ['X-Api-Key: abc', 'X-Other:plain'] },
    key_names: ['apikey'],
    jwt_secrets: ['one', 'two'],
    hide_credentials: true,
    redis: { password: null, username: 'app' },
  }
  assert.deepEqual(masked(config), {
    ...config,
    http_endpoint: `https://${MASK}@logs.example/in`,
    headers: { Authorization: MASK, Accept: 'text/plain' },
    add: { headers: [`X-Api-Key: ${MASK}`, 'X-Other:plain'] },
    jwt_secrets: [MASK, MASK],
  })
  assert.deepEqual(maskErrors({ list: ['fine', MASK] }), {
    list: [null, 'type the secret again: it is not shown here'],
  })
  assert.equal(maskErrors(config), undefined)
})

test('a configuration that is a file is only shown, and a change is refused in Kong’s words', async (context) => {
  const declarative = createDeclarativeStore({ plugins })
  declarative.load('{ _format_version: "3.0", plugins: [{ name: cors, id: 3f12ebf5-95fd-48ea-8d30-2a69951b75ab }] }')
  const fromFile = createAdminApi({ store: declarative, plugins, info, token: TOKEN, declarative })
  const there = adminUrl
  context.after(async () => {
    adminUrl = there
    await fromFile.close(stop)
  })
  adminUrl = `http://127.0.0.1:${(await fromFile.listen({ host: '127.0.0.1', port: 0 })).port}`
  const shown = await configuration()
  assert.deepEqual([shown.isReadOnly, shown.plugins[0]?.name], [true, 'cors'])
  const { status, body } = await call('PATCH', `/api/gateway/plugins/${shown.plugins[0]?.id}`, {
    body: { enabled: false },
  })
  assert.equal(status, 405)
  assert.match(String(body.message), /^cannot \w+ 'plugins' entities when not using a database$/)
})

test('a list of many pages is read to its end', async () => {
  const plain = { protocols: ['http'], paths: ['/many'] }
  const { services } = await configuration()
  const service = { id: services[0]?.id }
  await Promise.all(Array.from({ length: 25 }, (_, n) => add('/routes', { ...plain, name: `many-${n}`, service })))
  const list = await new Admin(adminUrl ?? '', TOKEN).list('/routes', 10)
  assert.deepEqual([list.entities.length, list.isComplete], [26, true])
})

test('without a gateway, and while none answers, the page is told which it is', async (context) => {
  const there = adminUrl
  context.after(() => {
    adminUrl = there
  })
  adminUrl = undefined
  assert.equal((await call('GET', '/api/gateway')).body.code, 'CONSOLE_GATEWAY_NONE')
  adminUrl = 'http://127.0.0.1:1'
  const { status, body } = await call('GET', '/api/gateway')
  assert.deepEqual([status, body.code], [502, 'CONSOLE_GATEWAY_UNREACHABLE'])
})
