import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { until } from '../src/testing/index.ts'
import { clientOf, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'

/** The gateway before the real shop, through its ports. The data plane's details are tested beside its files. */
let shop: ShopProcess
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>

before(async () => {
  dataDir = await temporaryDataDir()
  shop = await startShop(dataDir.path)
})

after(async () => {
  shop?.signal('SIGTERM')
  await shop?.exited
  await dataDir.remove()
})

test('a rate limit added while it runs lets 100 requests of an address pass within a minute, and deleting it lifts it', async () => {
  await sameMinute()
  const added = await fetch(`${shop.admin}/services/user-service/plugins`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: 'name=rate-limiting&config.minute=100&config.policy=local&config.limit_by=ip',
  })
  assert.equal(added.status, 201)
  const plugin = (await added.json()) as { id: string; config: Record<string, unknown> }
  assert.equal(plugin.config.minute, 100)
  assert.equal(plugin.config.limit_by, 'ip')

  const signUp = (index: number) =>
    fetch(`${shop.gateway}/users`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: `limited-${index}@example.com`, name: 'Limited' }),
    })
  const statuses: number[] = []
  let refused: Response | undefined
  for (let index = 0; index < 101; index++) {
    const response = await signUp(index)
    statuses.push(response.status)
    if (response.status === 429) refused = response
    else await response.arrayBuffer()
  }
  assert.equal(statuses.filter((status) => status === 201).length, 100)
  assert.equal(statuses[100], 429)
  const retryAfter = Number(refused?.headers.get('retry-after'))
  assert.ok(retryAfter >= 1 && retryAfter <= 60)
  assert.equal(refused?.headers.get('x-ratelimit-limit-minute'), '100')
  assert.equal(refused?.headers.get('x-ratelimit-remaining-minute'), '0')
  const body: unknown = await refused?.json()
  assert.equal((body as { message: string }).message, 'API rate limit exceeded')

  assert.equal((await fetch(`${shop.admin}/plugins/${plugin.id}`, { method: 'DELETE' })).status, 204)
  assert.equal((await signUp(102)).status, 201)
})

test('a route that asks for a key refuses none and a wrong one, and says so as Kong does', async () => {
  const without = await fetch(`${shop.gateway}/users/1/orders`)
  assert.equal(without.status, 401)
  assert.equal(((await without.json()) as { message: string }).message, 'No API key found in request')
  assert.equal(without.headers.get('www-authenticate'), 'Key')
  const wrong = await fetch(`${shop.gateway}/users/1/orders`, { headers: { apikey: 'wrong' } })
  assert.equal(wrong.status, 401)
  assert.equal(((await wrong.json()) as { message: string }).message, 'Unauthorized')
})

test('only the operator may change products', async () => {
  const product = { name: 'Lamp', priceCents: 100, stock: 1 }
  const buyer = await clientOf(shop)
  const operator = await clientOf(shop, 'operator')
  assert.equal((await buyer('PUT', '/products/lamp', product)).status, 403)
  assert.equal((await operator('PUT', '/products/lamp', product)).status, 200)
})

test('an unknown path and an unknown method get Kong’s answer', async () => {
  for (const [method, path] of [
    ['GET', '/nowhere'],
    ['DELETE', '/orders'],
  ]) {
    const response = await fetch(`${shop.gateway}${path}`, { method: method ?? '' })
    assert.equal(response.status, 404)
    assert.equal(((await response.json()) as { message: string }).message, 'no Route matched with those values')
  }
})

/** The window is the calendar minute: begin early enough in one. */
async function sameMinute(): Promise<void> {
  await until(() => Date.now() % 60_000 < 40_000, { what: 'a minute that has 20 seconds left' })
}

test('a service of the application is one target of an upstream, beside one that is down', async () => {
  const admin = (method: string, path: string, body: unknown) =>
    fetch(shop.admin + path, {
      method,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
  const breaker = { failures: 1, open_time: 3_600 }
  assert.equal((await admin('POST', '/upstreams', { name: 'users.balanced', circuit_breaker: breaker })).status, 201)
  for (const target of ['user-service:8080', '127.0.0.1:1']) {
    assert.equal((await admin('POST', '/upstreams/users.balanced/targets', { target })).status, 201)
  }
  assert.equal((await admin('PATCH', '/services/user-service', { host: 'users.balanced' })).status, 200)
  const anonymous = await clientOf(shop)
  for (let index = 0; index < 4; index++) {
    const user = { email: `balanced-${index}@example.com`, name: 'Balanced' }
    assert.equal((await anonymous('POST', '/users', user)).status, 201)
  }
  const health = await fetch(`${shop.admin}/upstreams/users.balanced/health`)
  const { data } = (await health.json()) as {
    data: { target: string; health: string; data: { addresses: { circuit_breaker: string }[] } }[]
  }
  assert.deepEqual(
    data.map((target) => [target.target, target.health, target.data.addresses[0]?.circuit_breaker]).sort(),
    [
      ['127.0.0.1:1', 'HEALTHCHECKS_OFF', 'open'],
      ['user-service:8080', 'HEALTHCHECKS_OFF', 'closed'],
    ],
  )
  assert.equal((await admin('PATCH', '/services/user-service', { host: 'user-service' })).status, 200)
})
