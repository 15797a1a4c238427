import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { startTestCluster, until } from '../../testing/index.ts'
import { gatewayMigrations } from '../config/migrations.ts'
import { createConfigStore, type SeedingConfigStore } from '../config/store.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { plugins } from '../plugins/index.ts'
import { type AdminApi, createAdminApi } from './admin-api.ts'

const NO_CONNECTIONS = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }
const INFO = { version: '3.9.1', nodeId: randomUUID(), hostname: 'test', connections: () => NO_CONNECTIONS }

type Fields = Record<string, unknown>

let testCluster: Awaited<ReturnType<typeof startTestCluster>>
let store: SeedingConfigStore
let gateway: Gateway
let admin: AdminApi
let base = ''

/** Names that end in `.invalid` have no addresses here. */
async function resolveName(name: string) {
  if (name.endsWith('.invalid')) throw new Error(`${name} is not known`)
  return { ips: ['10.0.0.1', '10.0.0.2'], ttlMs: 60_000 }
}

before(async () => {
  testCluster = await startTestCluster({ shards: 1, migrations: [gatewayMigrations] })
  store = createConfigStore({ cluster: testCluster.cluster, plugins })
  await store.start()
  gateway = createGateway({ config: store, resolve: () => undefined, version: '3.9.1', resolveName })
  await gateway.listen({ host: '127.0.0.1', port: 0 })
  admin = createAdminApi({ store, plugins, info: INFO, upstreams: gateway.upstreams })
  base = `http://127.0.0.1:${(await admin.listen({ host: '127.0.0.1', port: 0 })).port}`
})

after(async () => {
  const stop = { deadlineAtMs: Date.now() + 5_000 }
  await admin?.close(stop)
  await gateway?.close(stop)
  await store?.stop(stop)
  await testCluster?.stop()
})

beforeEach(async () => {
  for (const { id } of store.snapshot().upstreams) await store.delete('upstreams', id)
})

async function call(method: string, path: string, body?: Fields | URLSearchParams) {
  const json = body !== undefined && !(body instanceof URLSearchParams)
  const response = await fetch(base + path, {
    method,
    ...(body !== undefined && { body: json ? JSON.stringify(body) : body }),
    ...(json && { headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Fields }
}

async function add(path: string, body: Fields): Promise<Fields> {
  const reply = await call('POST', path, body)
  assert.equal(reply.status, 201, JSON.stringify(reply.body))
  return reply.body
}

const refusal = async (path: string, body: Fields) => (await call('POST', path, body)).body.message

test('an upstream comes back with every default of its health checks', async () => {
  const upstream = await add('/upstreams', { name: 'orders.internal' })
  const counts = { tcp_failures: 0, timeouts: 0, http_failures: 0 }
  assert.deepEqual(upstream.healthchecks, {
    threshold: 0,
    active: {
      type: 'http',
      timeout: 1,
      concurrency: 10,
      http_path: '/',
      https_sni: null,
      https_verify_certificate: true,
      headers: null,
      healthy: { interval: 0, http_statuses: [200, 302], successes: 0 },
      unhealthy: { interval: 0, http_statuses: [429, 404, 500, 501, 502, 503, 504, 505], ...counts },
    },
    passive: {
      type: 'http',
      healthy: {
        http_statuses: [200, 201, 202, 203, 204, 205, 206, 207, 208, 226, 300, 301, 302, 303, 304, 305, 306, 307, 308],
        successes: 0,
      },
      unhealthy: { http_statuses: [429, 500, 503], ...counts },
    },
  })
  const { algorithm, hash_on, hash_fallback, hash_on_cookie_path, slots, host_header, use_srv_name } = upstream
  assert.deepEqual(
    [algorithm, hash_on, hash_fallback, hash_on_cookie_path, slots, host_header, use_srv_name],
    ['round-robin', 'none', 'none', '/', 10_000, null, false],
  )
  assert.deepEqual([upstream.circuit_breaker, upstream.retry, upstream.client_certificate], [null, null, null])
})

test('a form reaches into the health checks, and PATCH leaves the rest of them alone', async () => {
  const form = new URLSearchParams('name=orders.internal&healthchecks.active.healthy.interval=5')
  const { body } = await call('POST', '/upstreams', form)
  const patch = new URLSearchParams('healthchecks.active.unhealthy.http_failures=3')
  const { body: changed } = await call('PATCH', `/upstreams/${body.name}`, patch)
  const { active } = changed.healthchecks as { active: { healthy: Fields; unhealthy: Fields } }
  assert.deepEqual([active.healthy.interval, active.unhealthy.http_failures], [5, 3])
})

test('hashing on something asks for consistent hashing, and for the name of the thing', async () => {
  const upstream = await add('/upstreams', { name: 'a', hash_on: 'ip' })
  assert.equal(upstream.algorithm, 'consistent-hashing')
  const reset = await call('PATCH', '/upstreams/a', { hash_on: null })
  assert.equal(reset.body.hash_on, 'none')
  assert.match(String(await refusal('/upstreams', { name: 'b', hash_on: 'header' })), /hash_on_header: required field/)
  assert.match(
    String(await refusal('/upstreams', { name: 'b', hash_fallback: 'ip' })),
    /hash_fallback: expected one of/,
  )
  assert.match(
    String(await refusal('/upstreams', { name: 'b', hash_on: 'ip', hash_fallback: 'ip' })),
    /hash_fallback: expected one of/,
  )
  const twice = { hash_on: 'header', hash_on_header: 'x-a', hash_fallback: 'header', hash_fallback_header: 'x-a' }
  assert.match(
    String(await refusal('/upstreams', { name: 'b', ...twice })),
    /values of these fields must be distinct: 'hash_on_header', 'hash_fallback_header'/,
  )
})

test('names that are no host names, and checks that there are not, are refused', async () => {
  assert.match(String(await refusal('/upstreams', { name: '10.0.0.1' })), /no ip addresses allowed/)
  assert.match(String(await refusal('/upstreams', { name: 'orders:80' })), /no port allowed/)
  assert.match(String(await refusal('/upstreams', { name: 'a', use_srv_name: true })), /not available yet/)
  const unknown = { name: 'a', healthchecks: { active: { type: 'udp' } } }
  assert.match(String(await refusal('/upstreams', unknown)), /expected one of: tcp, http, https, grpc, grpcs/)
})

test('targets are known by id and by host and port, and are written in one way', async () => {
  await add('/upstreams', { name: 'orders.internal' })
  const target = await add('/upstreams/orders.internal/targets', { target: 'Orders-1' })
  assert.deepEqual([target.target, target.weight, typeof target.created_at], ['orders-1:8000', 100, 'number'])
  assert.equal((await call('GET', '/upstreams/orders.internal/targets/orders-1')).body.id, target.id)
  assert.equal((await call('GET', `/upstreams/orders.internal/targets/${target.id}`)).status, 200)
  const patched = await call('PATCH', '/upstreams/orders.internal/targets/orders-1:8000', { weight: 0 })
  assert.deepEqual([patched.status, patched.body.weight], [200, 0])
  for (const path of ['/upstreams/orders.internal/targets', '/upstreams/orders.internal/targets/all']) {
    assert.deepEqual(
      ((await call('GET', path)).body.data as Fields[]).map(({ id }) => id),
      [target.id],
    )
  }
  const again = await call('POST', '/upstreams/orders.internal/targets', { target: 'orders-1:8000' })
  assert.deepEqual([again.status, again.body.code], [409, 5])
  assert.equal((await call('DELETE', '/upstreams/orders.internal/targets/orders-1:8000')).status, 204)
  assert.equal((await call('GET', '/upstreams/orders.internal/targets/orders-1:8000')).status, 404)
  assert.match(
    String(await refusal('/upstreams/orders.internal/targets', { target: 'a b' })),
    /Invalid target \('a b'\); not a valid hostname or ip address/,
  )
  assert.equal((await call('GET', '/targets')).status, 404)
})

test('PUT of a target only changes what is there, and POST then makes it under its id', async () => {
  const upstream = await add('/upstreams', { name: 'orders.internal' })
  const id = randomUUID()
  const path = `/upstreams/${upstream.id}/targets`
  const target = { id, target: '10.0.0.9:80', weight: 5, upstream: { id: upstream.id } }
  assert.equal((await call('PUT', `${path}/${id}`, target)).status, 404)
  assert.equal((await add(path, target)).id, id)
  const put = await call('PUT', `${path}/${id}`, { ...target, weight: 7 })
  assert.deepEqual([put.status, put.body.weight], [200, 7])
})

test('an upstream takes its targets along', async () => {
  await add('/upstreams', { name: 'orders.internal' })
  await add('/upstreams/orders.internal/targets', { target: '10.0.0.9' })
  assert.equal((await call('DELETE', '/upstreams/orders.internal')).status, 204)
  assert.deepEqual([store.snapshot().upstreams, store.snapshot().targets], [[], []])
})

async function healthIn(upstream: string): Promise<Readonly<Record<string, unknown>>> {
  const { body } = await call('GET', `/upstreams/${upstream}/health`)
  assert.equal(body.node_id, INFO.nodeId)
  return Object.fromEntries((body.data as Fields[]).map(({ target, health }) => [String(target), health]))
}

test('the health of targets is told in the words of Kong, and can be declared', async () => {
  await add('/upstreams', { name: 'orders.internal' })
  for (const target of ['10.0.0.9:80', 'orders.example:80', 'orders.invalid:80']) {
    await add('/upstreams/orders.internal/targets', { target })
  }
  await until(async () => (await healthIn('orders.internal'))['orders.example:80'] !== 'DNS_ERROR')
  assert.deepEqual(await healthIn('orders.internal'), {
    '10.0.0.9:80': 'HEALTHCHECKS_OFF',
    'orders.example:80': 'HEALTHCHECKS_OFF',
    'orders.invalid:80': 'DNS_ERROR',
  })
  await call('PATCH', '/upstreams/orders.internal', { healthchecks: { passive: { unhealthy: { http_failures: 1 } } } })
  const path = '/upstreams/orders.internal/targets'
  assert.equal((await call('PUT', `${path}/10.0.0.9:80/unhealthy`)).status, 204)
  assert.equal((await call('PUT', `${path}/orders.example:80/10.0.0.1:80/unhealthy`)).status, 204)
  assert.deepEqual(await healthIn('orders.internal'), {
    '10.0.0.9:80': 'UNHEALTHY',
    'orders.example:80': 'HEALTHY',
    'orders.invalid:80': 'DNS_ERROR',
  })
  const { body } = await call('GET', '/upstreams/orders.internal/health?balancer_health=1')
  const { health, balancer_health, details } = body.data as Fields
  const weight = { total: 300, available: 100, unavailable: 200 }
  assert.deepEqual([health, balancer_health, details], ['HEALTHY', 'HEALTHY', { healthy: true, weight }])
  assert.equal((await call('PUT', `${path}/10.0.0.9:80/healthy`)).status, 204)
  assert.equal((await healthIn('orders.internal'))['10.0.0.9:80'], 'HEALTHY')
  assert.equal((await call('PUT', `${path}/10.0.0.8:80/healthy`)).status, 404)
  assert.equal((await call('PUT', `${path}/10.0.0.9:80/10.0.0.1:80/healthy`)).status, 404)
  assert.equal((await call('GET', '/upstreams/nobody/health')).status, 404)
})

test('the schema of upstreams is served, with what is not of Kong marked', async () => {
  const { status, body } = await call('GET', '/schemas/upstreams')
  const names = (body.fields as Fields[]).flatMap((field) => Object.keys(field))
  assert.equal(status, 200)
  assert.deepEqual(names.slice(-2), ['circuit_breaker', 'retry'])
  assert.equal((await call('GET', '/schemas/targets')).status, 200)
})
