import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { after, before, test } from 'node:test'
import shop from '../examples/shop/app.ts'
import { type RunningApp, startApp } from '../src/runtime/index.ts'
import type { Frame, LagSample } from '../src/telemetry/index.ts'
import { runLoad, until } from '../src/testing/index.ts'
import { askEveryShard, clientOf, keyOf, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'
import { startTestDatabases } from './test-databases.ts'

/**
 * The shop in two processes: gateway, console and most services in this one, e-mail and shipping in another, so that
 * what is measured there is seen here.
 */
const APART = ['email-service', 'shipping-service']
const HERE = [
  'gateway',
  'console',
  ...shop.services.map((service) => service.name).filter((name) => !APART.includes(name)),
]
const ORDERS = 25
const JOURNEY = 'order placed to shipped'

let databases: Awaited<ReturnType<typeof startTestDatabases>>
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>
let here: RunningApp
let apart: ShopProcess

before(async () => {
  databases = await startTestDatabases(2)
  dataDir = await temporaryDataDir()
  const env = {
    DATABASE_URLS: databases.urls.join(','),
    GATEWAY_PORT: '0',
    ADMIN_PORT: '0',
    CONSOLE_PORT: '0',
    PORT: '0',
  }
  here = await startApp(shop, { env, only: HERE, log: () => {} })
  apart = await startApart()
})

after(async () => {
  apart?.signal('SIGTERM')
  await apart?.exited
  await here?.stop()
  await databases?.stop()
  await dataDir?.remove()
})

function startApart(): Promise<ShopProcess> {
  return startShop(dataDir.path, {
    args: ['--only', APART.join(',')],
    env: { DATABASE_URLS: databases.urls.join(','), CONNECTIONS_MAX: '16' },
  })
}

const addresses = () => ({ gateway: here.addresses.gateway ?? '', admin: here.addresses.admin ?? '' })

/** Places orders of one customer and waits until the answer of each. */
async function place(count: number): Promise<void> {
  const buy = await clientOf(addresses())
  const order = { userId: 1, lines: [{ sku: 'poncho', quantity: 1 }], cardToken: 'tok_visa' }
  for (let n = 0; n < count; n++) assert.equal((await buy('POST', '/orders', order)).status, 202)
}

function frames(): readonly Frame[] {
  return here.telemetry.history(0)
}

/** Frames of seconds count what happened in them. */
function journeysEnded(): number {
  const samples = frames().flatMap((frame) => frame.journeys.filter(({ journey }) => journey === JOURNEY))
  return samples.reduce((sum, sample) => sum + sample.perSecond, 0)
}

function lagOf(topic: string, group: string): LagSample | undefined {
  return frames()
    .at(-1)
    ?.lag.find((sample) => sample.topic === topic && sample.group === group)
}

test('a journey that begins here and ends in another process is measured, each once', async () => {
  await place(ORDERS)
  await until(() => journeysEnded() >= ORDERS, { timeoutMs: 60_000, what: 'the end of every journey' })
  assert.equal(journeysEnded(), ORDERS)
  const services = new Set(frames().flatMap((frame) => frame.services.map(({ service }) => service)))
  for (const service of [...APART, 'order-service', 'payment-service']) assert.ok(services.has(service), service)
  assert.ok(
    frames().some((frame) => frame.instances.length === 2),
    'both processes are shown',
  )
  const orders = frames().flatMap((frame) => frame.routes.filter(({ route }) => route === 'POST /orders'))
  assert.equal(
    orders.reduce((sum, route) => sum + route.perSecond, 0),
    ORDERS,
  )
})

test('while a consumer is dead its lag in messages is exact, and the journeys wait for it', async () => {
  const endedBefore = journeysEnded()
  apart.signal('SIGKILL')
  await apart.exited
  await place(ORDERS)
  await until(() => lagOf('order.placed', 'email-service')?.messages === ORDERS, {
    timeoutMs: 60_000,
    what: 'the lag of the dead consumer',
  })
  assert.ok((lagOf('order.placed', 'email-service')?.seconds ?? 0) > 0)
  await until(() => lagOf('order.placed', 'payment-service')?.messages === 0, { what: 'no lag of a living consumer' })
  assert.equal(lagOf('order.placed', 'email-service')?.messages, ORDERS)
  assert.equal(journeysEnded(), endedBefore)
  apart = await startApart()
  await until(() => journeysEnded() === endedBefore + ORDERS, { timeoutMs: 90_000, what: 'the journeys to end' })
  await until(() => lagOf('order.placed', 'email-service')?.messages === 0, { timeoutMs: 60_000, what: 'no lag' })
  assert.equal(lagOf('order.placed', 'email-service')?.seconds, 0)
})

test('every process answers GET /metrics, and promtool has nothing to complain of', async (t) => {
  const pages = await Promise.all(
    [here.addresses.admin, here.addresses.console, here.addresses.services, apart.services].map(async (origin) => {
      const response = await fetch(`${origin}/metrics`)
      assert.equal(response.status, 200, `${origin}/metrics`)
      assert.match(response.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/)
      return response.text()
    }),
  )
  assert.match(pages[0] ?? '', /^http_server_request_duration_seconds_count\{.*http_route="\/orders".*\} \d+$/m)
  assert.match(pages[3] ?? '', /^groundswell_journey_duration_seconds_count\{journey="order placed to shipped"\} \d+$/m)
  if (spawnSync('promtool', ['--version']).error !== undefined) return t.skip('promtool is not installed')
  for (const page of pages) assert.deepEqual(await promtool(page), { code: 0, complaints: [] })
})

test('Kong’s own metrics come with its plugin, under its names', async (t) => {
  const post = (path: string, body: object) =>
    fetch(here.addresses.admin + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  await post('/upstreams', { name: 'orders.internal' })
  await post('/upstreams/orders.internal/targets', { target: '127.0.0.1:9' })
  const config = {
    status_code_metrics: true,
    latency_metrics: true,
    bandwidth_metrics: true,
    per_consumer: true,
    upstream_health_metrics: true,
  }
  const added = await post('/plugins', { name: 'prometheus', config })
  assert.equal(added.status, 201, await added.text())
  await until(
    async () => {
      await place(1)
      const now = await metrics()
      return /^kong_http_requests_total\{/m.test(now) && /^kong_datastore_reachable 1$/m.test(now)
    },
    { what: 'the plugin in force' },
  )
  const page = await metrics()
  const labels = 'service="order-service",route="order-service.post-orders"'
  for (const line of [
    `kong_http_requests_total{${labels},code="202",source="service",workspace="default",consumer="storefront"}`,
    `kong_kong_latency_ms_bucket{${labels},workspace="default",le="1"}`,
    `kong_upstream_latency_ms_bucket{${labels},workspace="default",le="25"}`,
    `kong_request_latency_ms_count{${labels},workspace="default"}`,
    `kong_bandwidth_bytes{${labels},direction="egress",workspace="default",consumer="storefront"}`,
    'subsystem="http",state="active"}',
    'version="3.9.1"} 1\n',
    'kong_nginx_metric_errors_total 0\n',
    ...['healthchecks_off', 'healthy', 'unhealthy', 'dns_error'].map((state) => {
      const target = 'upstream="orders.internal",target="127.0.0.1:9",address="127.0.0.1:9"'
      const value = state === 'healthchecks_off' ? 1 : 0
      return `kong_upstream_target_health{${target},state="${state}",subsystem="http"} ${value}\n`
    }),
  ]) {
    assert.ok(page.includes(line), line)
  }
  if (spawnSync('promtool', ['--version']).error !== undefined) return t.skip('promtool is not installed')
  // It parses; its lint has opinions on names, and these are Kong's.
  const { complaints } = await promtool(page)
  assert.deepEqual(
    complaints.filter((line) => !line.startsWith('kong_')),
    [],
  )
})

test('thousands of distinct paths grow no series', async () => {
  const key = await keyOf(addresses())
  const read = (n: number) => ({ method: 'GET' as const, path: `/orders/${n}-${n}`, headers: { apikey: key } })
  const one = { kind: 'burst', count: 1 } as const
  await runLoad({ url: here.addresses.gateway ?? '', arrivals: one, request: read })
  const before = seriesOf(await metrics())
  const many = { kind: 'fixed', rate: 1_000, durationMs: 4_000 } as const
  const report = await runLoad({ url: here.addresses.gateway ?? '', arrivals: many, request: read })
  assert.ok(report.asked >= 4_000)
  const grown = seriesOf(await metrics()).filter((series) => !before.includes(series))
  assert.deepEqual(grown, [])
})

test('what PostgreSQL keeps of the exchange is small', async () => {
  const [rows] = await askEveryShard<{ count: string; oldest: number }>(
    databases.urls.slice(0, 1),
    `SELECT count(*), extract(epoch FROM clock_timestamp() - min(written_at))::float8 AS oldest
     FROM groundswell.telemetry_exchange`,
  )
  const { count = '0', oldest = 0 } = rows?.[0] ?? {}
  assert.ok(Number(count) > 0 && Number(count) < 500, `${count} rows`)
  assert.ok(oldest < 120, `the oldest is ${oldest} s old`)
})

async function metrics(): Promise<string> {
  return (await fetch(`${here.addresses.admin}/metrics`)).text()
}

/** Names and labels of HTTP series, which is where a path could get in. */
function seriesOf(page: string): readonly string[] {
  return page.split('\n').flatMap((line) => /^((?:http|kong)\w+_(?:count|total)\{.*\}) /.exec(line)?.slice(1) ?? [])
}

async function promtool(page: string): Promise<{ code: number | null; complaints: readonly string[] }> {
  const child = spawn('promtool', ['check', 'metrics'])
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  child.stdin.end(page)
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { code, complaints: output.split('\n').filter((line) => line !== '') }
}
