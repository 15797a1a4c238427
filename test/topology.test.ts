import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runLoad, until } from '../src/testing/index.ts'
import { askEveryShard, clientOf, keyOf, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'
import { startTestDatabases } from './test-databases.ts'

const REST = [
  'user-service',
  'user-profile-service',
  'product-service',
  'inventory-service',
  'email-service',
  'shipping-service',
]
const USERS = 60
/** Orders a second: slow enough that even four processes of a laptop's one core have nothing to queue for. */
const RATE = 50
/** Payments are dead for as long as it takes to send these. */
const ORDERS = 500
const DEAD_MS = 10_000
const WARM_MS = 3_000
const WARM_ORDERS = (RATE * WARM_MS) / 1_000
/** How much slower accepting may be without payments, of a machine that is busy with other things too. */
const SLOWDOWN_MAX = 5

test('four processes: payments killed while 500 orders arrive delays neither acceptance nor e-mail, and all end final', async () => {
  const databases = await startTestDatabases(4)
  const dataDir = await temporaryDataDir()
  const running: ShopProcess[] = []
  const start = async (only: readonly string[], env: Record<string, string> = {}) => {
    const shop = await startShop(dataDir.path, {
      args: ['--only', only.join(',')],
      env: { DATABASE_URLS: databases.urls.join(','), CONNECTIONS_MAX: '16', ...env },
    })
    running.push(shop)
    return shop
  }
  try {
    const rest = await start(REST)
    const restUrls = Object.fromEntries(
      REST.map((name) => [`${name.replaceAll('-', '_').toUpperCase()}_URL`, rest.services]),
    )
    const orders = await start(['order-service'], restUrls)
    const payments = await start(['payment-service'], restUrls)
    const gateway = await start(['gateway'], { ...restUrls, ORDER_SERVICE_URL: orders.services })

    const operator = await clientOf(gateway, 'operator')
    const buyer = await clientOf(gateway)
    assert.equal(
      (await operator('PUT', '/products/kite', { name: 'Kite', priceCents: 500, stock: 10_000 })).status,
      200,
    )
    const users = await Promise.all(
      Array.from({ length: USERS }, async (_, index) => {
        const created = await buyer('POST', '/users', { email: `apart-${index}@example.com`, name: 'Apart' })
        return created.body.id as number
      }),
    )
    assert.deepEqual([...new Set(users.map((user) => user % databases.urls.length))].sort(), [0, 1, 2, 3])
    const apikey = await keyOf(gateway)
    const headers = { apikey, 'Content-Type': 'application/json' }
    const order = (durationMs: number) =>
      runLoad({
        url: gateway.gateway,
        arrivals: { kind: 'fixed', rate: RATE, durationMs },
        request: (n) => {
          const body = { userId: users[n % USERS], lines: [{ sku: 'kite', quantity: 1 }], cardToken: 'tok_visa' }
          return { method: 'POST', path: '/orders', headers, body }
        },
      })
    const count = async (text: string, urls = databases.urls) =>
      (await askEveryShard<{ count: string }>(urls, text)).flat().reduce((sum, row) => sum + Number(row.count), 0)
    const shippedOrders = () => count(`SELECT count(*) FROM orders.orders WHERE status = 'shipped'`)
    const charges = () => count(`SELECT count(*) FROM payment_provider.charge WHERE state = 'charged'`)
    const mails = () => count('SELECT count(*) FROM email.message')

    // The first orders pay for what starts lazily; the second round is the measure.
    await order(1_000)
    const alive = await order(WARM_MS)
    assert.deepEqual(alive.statuses, { 202: WARM_ORDERS })
    const before = RATE + WARM_ORDERS
    await until(async () => (await shippedOrders()) === before, { what: 'the first orders shipped' })

    payments.signal('SIGKILL')
    await payments.exited
    const deadSince = performance.now()
    const dead = await order(DEAD_MS)
    assert.deepEqual(dead.statuses, { 202: ORDERS })
    for (const quantile of ['p50', 'p95'] as const) {
      const [normally, without] = [alive.latencyMs[quantile], dead.latencyMs[quantile]]
      assert.ok(
        without <= normally * SLOWDOWN_MAX,
        `accepting: ${quantile} ${without} ms, ${normally} ms with payments`,
      )
    }
    await until(async () => (await mails()) === before + ORDERS, {
      timeoutMs: 60_000,
      what: 'every mail without payments',
    })
    await until(
      async () =>
        (await count('SELECT count(*) FROM inventory.reservation', databases.urls.slice(0, 1))) === before + ORDERS,
      {
        timeoutMs: 60_000,
        what: 'every reservation without payments',
      },
    )
    await until(() => performance.now() - deadSince >= DEAD_MS, { what: 'payments dead for ten seconds' })
    assert.equal(await shippedOrders(), before)
    assert.equal(await charges(), before)

    await start(['payment-service'], restUrls)
    await until(async () => (await shippedOrders()) === before + ORDERS, {
      timeoutMs: 120_000,
      what: 'every order shipped once payments are back',
    })
    assert.equal((await charges()) - before, ORDERS, 'in the provider’s books: each order charged, and once')
    const twice =
      'SELECT count(*) FROM (SELECT FROM email.message GROUP BY order_id, subject HAVING count(*) > 1) AS mail'
    assert.deepEqual([await mails(), await count(twice)], [before + ORDERS, 0])
  } finally {
    for (const shop of running) shop.signal('SIGTERM')
    await Promise.all(running.map((shop) => shop.exited))
    await databases.stop()
    await dataDir.remove()
  }
})
