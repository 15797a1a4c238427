import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type LoadReport, runLoad, until } from '../src/testing/index.ts'
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

type Shop = Awaited<ReturnType<typeof startFourProcesses>>

test('four processes: payments killed while 500 orders arrive delays neither acceptance nor e-mail, and all end final', async () => {
  const databases = await startTestDatabases(4)
  const dataDir = await temporaryDataDir()
  const running: ShopProcess[] = []
  try {
    const shop = await startFourProcesses({ urls: databases.urls, dataDir: dataDir.path, running })
    const books = booksOf(databases.urls)
    const place = await customersOf(shop, databases.urls.length)

    // The first orders pay for what starts lazily; the second round is the measure.
    await place(1_000)
    const alive = await place(WARM_MS)
    assert.deepEqual(alive.statuses, { 202: WARM_ORDERS })
    const before = RATE + WARM_ORDERS
    await until(async () => (await books.shipped()) === before, { what: 'the first orders shipped' })

    shop.payments.signal('SIGKILL')
    await shop.payments.exited
    const deadSince = performance.now()
    const dead = await place(DEAD_MS)
    assert.deepEqual(dead.statuses, { 202: ORDERS })
    assertNotSlower(alive, dead)
    const all = before + ORDERS
    await until(async () => (await books.mails()) === all, { timeoutMs: 60_000, what: 'every mail without payments' })
    await until(async () => (await books.reservations()) === all, { timeoutMs: 60_000, what: 'every reservation' })
    await until(() => performance.now() - deadSince >= DEAD_MS, { what: 'payments dead for ten seconds' })
    assert.deepEqual([await books.shipped(), await books.charges()], [before, before])

    await shop.startPayments()
    await until(async () => (await books.shipped()) === all, {
      timeoutMs: 120_000,
      what: 'every order shipped once payments are back',
    })
    assert.equal((await books.charges()) - before, ORDERS, 'in the provider’s books: each order charged, and once')
    assert.deepEqual([await books.mails(), await books.mailsTwice()], [all, 0])
  } finally {
    for (const shop of running) shop.signal('SIGTERM')
    await Promise.all(running.map((shop) => shop.exited))
    await databases.stop()
    await dataDir.remove()
  }
})

type Where = { readonly urls: readonly string[]; readonly dataDir: string; readonly running: ShopProcess[] }

async function startFourProcesses({ urls, dataDir, running }: Where) {
  const start = async (only: readonly string[], env: Record<string, string> = {}) => {
    const shop = await startShop(dataDir, {
      args: ['--only', only.join(',')],
      env: { DATABASE_URLS: urls.join(','), CONNECTIONS_MAX: '16', ...env },
    })
    running.push(shop)
    return shop
  }
  const rest = await start(REST)
  const restUrls = Object.fromEntries(
    REST.map((name) => [`${name.replaceAll('-', '_').toUpperCase()}_URL`, rest.services]),
  )
  const orders = await start(['order-service'], restUrls)
  const startPayments = () => start(['payment-service'], restUrls)
  const payments = await startPayments()
  const gateway = await start(['gateway'], { ...restUrls, ORDER_SERVICE_URL: orders.services })
  return { gateway, payments, startPayments }
}

/** Customers on every shard, and what lets them order at a steady rate for a while. */
async function customersOf({ gateway }: Shop, shards: number): Promise<(durationMs: number) => Promise<LoadReport>> {
  const operator = await clientOf(gateway, 'operator')
  const buyer = await clientOf(gateway)
  const kite = { name: 'Kite', priceCents: 500, stock: 10_000 }
  assert.equal((await operator('PUT', '/products/kite', kite)).status, 200)
  const users = await Promise.all(
    Array.from({ length: USERS }, async (_, index) => {
      const created = await buyer('POST', '/users', { email: `apart-${index}@example.com`, name: 'Apart' })
      return created.body.id as number
    }),
  )
  assert.equal(new Set(users.map((user) => user % shards)).size, shards, 'customers on every shard')
  const headers = { apikey: await keyOf(gateway), 'Content-Type': 'application/json' }
  return (durationMs) =>
    runLoad({
      url: gateway.gateway,
      arrivals: { kind: 'fixed', rate: RATE, durationMs },
      request: (n) => {
        const body = { userId: users[n % USERS], lines: [{ sku: 'kite', quantity: 1 }], cardToken: 'tok_visa' }
        return { method: 'POST', path: '/orders', headers, body }
      },
    })
}

function assertNotSlower(alive: LoadReport, dead: LoadReport): void {
  for (const quantile of ['p50', 'p95'] as const) {
    const [normally, without] = [alive.latencyMs[quantile], dead.latencyMs[quantile]]
    const message = `accepting: ${quantile} ${without} ms without payments, ${normally} ms with them`
    assert.ok(without <= normally * SLOWDOWN_MAX, message)
  }
}

/** What PostgreSQL says, over all shards; reservations are on the home shard. */
function booksOf(urls: readonly string[]) {
  const count = async (what: string, databases = urls) => {
    const rows = await askEveryShard<{ count: string }>(databases, `SELECT count(*) FROM ${what}`)
    return rows.flat().reduce((sum, row) => sum + Number(row.count), 0)
  }
  return {
    shipped: () => count(`orders.orders WHERE status = 'shipped'`),
    charges: () => count(`payment_provider.charge WHERE state = 'charged'`),
    reservations: () => count('inventory.reservation', urls.slice(0, 1)),
    mails: () => count('email.message'),
    mailsTwice: () => count('(SELECT FROM email.message GROUP BY order_id, subject HAVING count(*) > 1) AS mail'),
  }
}
