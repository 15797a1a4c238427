import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../src/testing/index.ts'
import { askEveryShard, clientOf, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'
import { startTestDatabases } from './test-databases.ts'

const REST = [
  'user-service',
  'user-profile-service',
  'product-service',
  'inventory-service',
  'email-service',
  'shipping-service',
]
const ORDERS = 500

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
    const user = (await buyer('POST', '/users', { email: 'apart@example.com', name: 'Apart' })).body.id

    payments.signal('SIGKILL')
    await payments.exited
    const answers = await Promise.all(
      Array.from({ length: ORDERS }, () =>
        buyer('POST', '/orders', { userId: user, lines: [{ sku: 'kite', quantity: 1 }], cardToken: 'tok_visa' }),
      ),
    )
    assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [202])
    const count = async (text: string, urls = databases.urls) =>
      (await askEveryShard<{ count: string }>(urls, text)).flat().reduce((sum, row) => sum + Number(row.count), 0)
    const others = `SELECT count(*) FROM email.message`
    await until(async () => (await count(others)) === ORDERS, {
      timeoutMs: 60_000,
      what: 'every mail without payments',
    })
    await until(
      async () => (await count('SELECT count(*) FROM inventory.reservation', databases.urls.slice(0, 1))) === ORDERS,
      {
        timeoutMs: 60_000,
        what: 'every reservation without payments',
      },
    )
    assert.equal(await count(`SELECT count(*) FROM orders.orders WHERE status = 'shipped'`), 0)

    await start(['payment-service'], restUrls)
    await until(async () => (await count(`SELECT count(*) FROM orders.orders WHERE status = 'shipped'`)) === ORDERS, {
      timeoutMs: 120_000,
      what: 'every order shipped once payments are back',
    })
    assert.equal(await count('SELECT count(*) FROM email.message'), ORDERS)
  } finally {
    for (const shop of running) shop.signal('SIGTERM')
    await Promise.all(running.map((shop) => shop.exited))
    await databases.stop()
    await dataDir.remove()
  }
})
