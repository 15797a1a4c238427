import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { Agent, request } from 'node:http'
import { test } from 'node:test'
import { until } from '../src/testing/index.ts'
import { askEveryShard, keyOf, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'
import { startTestDatabases } from './test-databases.ts'

/** An orderly stop as clients see it who keep their connections, as browsers, gateways and load balancers do. */

const CLIENTS = 50
/** Answers before the signal: every client is in the middle of its work then. */
const WARM_ANSWERS = 4 * CLIENTS
/** Long enough to be seen by whoever polls, as a load balancer does. */
const STOP_DELAY_MS = 1_500

type Answer = { readonly status: number | undefined; readonly connection: string | undefined; readonly body: string }

/** A client with one connection: sends, reads, sends again. */
function keepAliveClient(origin: string, headers: Readonly<Record<string, string>>) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ask = (method: string, path: string, body?: unknown) =>
    new Promise<Answer>((resolve, reject) => {
      const sent = { ...headers, 'content-type': 'application/json' }
      const outgoing = request(`${origin}${path}`, { method, agent, headers: sent }, (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
        response.once('error', reject)
        response.once('end', () => {
          resolve({ status: response.statusCode, connection: response.headers.connection, body: text })
        })
      })
      outgoing.once('error', reject)
      outgoing.end(body === undefined ? undefined : JSON.stringify(body))
    })
  return { ask, end: () => agent.destroy() }
}

/** Clients that place orders until the server says that it closes their connection. */
async function placeOrders(origin: string, headers: Readonly<Record<string, string>>) {
  const statuses: (number | undefined)[] = []
  const made = keepAliveClient(origin, headers)
  const user = JSON.parse(
    (await made.ask('POST', '/users', { email: `${randomUUID()}@example.com`, name: 'Stop' })).body,
  ) as {
    id: number
  }
  made.end()
  const order = { userId: user.id, lines: [{ sku: 'poncho', quantity: 1 }], cardToken: 'tok_visa' }
  const clients = Array.from({ length: CLIENTS }, async () => {
    const client = keepAliveClient(origin, headers)
    for (;;) {
      const answer = await client.ask('POST', '/orders', order)
      statuses.push(answer.status)
      if (answer.connection === 'close') return client.end()
    }
  })
  return { statuses, ended: Promise.all(clients) }
}

/** What `/readyz` says; undefined once nobody answers any more. */
async function readinessAt(origin: string): Promise<{ status: number; body: unknown } | undefined> {
  try {
    const answer = await fetch(`${origin}/readyz`, { headers: { connection: 'close' } })
    return { status: answer.status, body: await answer.json() }
  } catch (error) {
    if (error instanceof TypeError) return undefined
    throw error
  }
}

type Stopped = { readonly shop: ShopProcess; readonly probes: string; readonly origin: string }

async function stopUnderLoad({ shop, probes, origin }: Stopped, headers: Readonly<Record<string, string>>) {
  assert.equal((await readinessAt(probes))?.status, 200)
  const { statuses, ended } = await placeOrders(origin, headers)
  await until(() => statuses.length >= WARM_ANSWERS, { what: 'answers before the signal' })
  shop.signal('SIGTERM')
  const draining = await until(async () => {
    const readiness = await readinessAt(probes)
    return readiness?.status === 503 && readiness
  })
  assert.equal((draining.body as { status: string }).status, 'draining')
  // A request that is refused, reset or cut rejects here.
  await ended
  assert.equal(await shop.exited, 0)
  assert.deepEqual([...new Set(statuses)], [202], 'every request was accepted')
  return statuses.length
}

async function ordersIn(urls: readonly string[]): Promise<number> {
  const rows = await askEveryShard<{ count: string }>(urls, 'SELECT count(*) FROM orders.orders')
  return rows.flat().reduce((sum, { count }) => sum + Number(count), 0)
}

const SERVICES = [
  'user-service',
  'user-profile-service',
  'product-service',
  'order-service',
  'payment-service',
  'inventory-service',
]

test('SIGTERM under load fails no request: the whole shop in one process, then services apart', async () => {
  const databases = await startTestDatabases(2)
  const dataDir = await temporaryDataDir()
  const env = { DATABASE_URLS: databases.urls.join(','), STOP_DELAY_MS: String(STOP_DELAY_MS) }
  try {
    const whole = await startShop(dataDir.path, { env })
    const apikey = await keyOf(whole)
    const placed = await stopUnderLoad({ shop: whole, probes: whole.admin, origin: whole.gateway }, { apikey })
    assert.equal(await ordersIn(databases.urls), placed)

    const apart = await startShop(dataDir.path, { args: ['--only', SERVICES.join(',')], env })
    const stopped = { shop: apart, probes: apart.services, origin: apart.services }
    const placedApart = await stopUnderLoad(stopped, { 'x-consumer-username': 'storefront' })
    assert.equal(await ordersIn(databases.urls), placed + placedApart)
  } finally {
    await databases.stop()
    await dataDir.remove()
  }
})

test('a process that runs only the gateway has probes on a port of its own, and on the Admin API', async () => {
  const databases = await startTestDatabases(1)
  const dataDir = await temporaryDataDir()
  try {
    const env = { DATABASE_URLS: databases.urls.join(',') }
    const gateway = await startShop(dataDir.path, { args: ['--only', 'gateway'], env })
    const probes = /^probes +(\S+)/m.exec(gateway.output())?.[1] ?? ''
    for (const origin of [probes, gateway.admin]) {
      assert.deepEqual(await (await fetch(`${origin}/livez`)).json(), { status: 'alive' })
      assert.deepEqual(await (await fetch(`${origin}/readyz`)).json(), { status: 'ready' })
    }
    assert.deepEqual(await (await fetch(`${gateway.admin}/status/ready`)).json(), { message: 'ready' })
    gateway.signal('SIGTERM')
    assert.equal(await gateway.exited, 0)
  } finally {
    await databases.stop()
    await dataDir.remove()
  }
})
