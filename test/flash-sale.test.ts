import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { until } from '../src/testing/index.ts'
import {
  askEveryShard,
  clientOf,
  databaseUrlsOf,
  type ShopProcess,
  startShop,
  temporaryDataDir,
} from './shop-process.ts'

const ORDERS = 2_000
const STOCK = 1_000
const CONCURRENCY = 200

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

test('2,000 orders for 1,000 pieces: exactly 1,000 ship, 1,000 are sold out, money and mail are right', async () => {
  const operator = await clientOf(shop, 'operator')
  const buyer = await clientOf(shop)
  const product = { name: 'Wave machine', priceCents: 4_900, stock: STOCK }
  assert.equal((await operator('PUT', '/products/wave-machine', product)).status, 200)
  const users = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const created = await buyer('POST', '/users', { email: `buyer-${index}@example.com`, name: `Buyer ${index}` })
      assert.equal(created.status, 201)
      return created.body.id as number
    }),
  )
  const orderIds = await inParallel(ORDERS, CONCURRENCY, async (index) => {
    const order = {
      userId: users[index % users.length],
      lines: [{ sku: 'wave-machine', quantity: 1 }],
      cardToken: 'tok_visa',
    }
    const placed = await buyer('POST', '/orders', order)
    assert.equal(placed.status, 202, JSON.stringify(placed.body))
    return placed.body.orderId as string
  })
  assert.equal(new Set(orderIds).size, ORDERS)

  const urls = await databaseUrlsOf(dataDir.path)
  const statuses = await until(
    async () => {
      const rows = (
        await askEveryShard<{ status: string; reason: string | null; count: string }>(
          urls,
          'SELECT status, reason, count(*) FROM orders.orders GROUP BY 1, 2',
        )
      ).flat()
      return rows.every((row) => ['shipped', 'rejected'].includes(row.status)) ? rows : undefined
    },
    { timeoutMs: 120_000, what: 'every order in a final state' },
  )
  const count = (status: string, reason: string | null) =>
    statuses
      .filter((row) => row.status === status && row.reason === reason)
      .reduce((sum, row) => sum + Number(row.count), 0)
  assert.equal(count('shipped', null), STOCK)
  assert.equal(count('rejected', 'sold_out'), ORDERS - STOCK)

  assert.equal((await buyer('GET', '/products/wave-machine')).body.stock, 0)
  await until(async () => (await netMoney(urls)) === STOCK * product.priceCents, {
    timeoutMs: 60_000,
    what: 'money given back',
  })
  await until(async () => (await mailCounts(urls)).messages === ORDERS + (ORDERS - STOCK), {
    timeoutMs: 60_000,
    what: 'one mail for each order placed and each order rejected',
  })
  const mail = await mailCounts(urls)
  assert.equal(mail.messages, mail.distinct, 'no mail twice')
})

/** What the provider's own books say was taken and not given back, in cents. */
async function netMoney(urls: readonly string[]): Promise<number> {
  const rows = await askEveryShard<{ net: string }>(
    urls,
    `SELECT coalesce(sum(amount_cents) FILTER (WHERE state = 'charged'), 0) AS net FROM payment_provider.charge`,
  )
  return rows.flat().reduce((sum, row) => sum + Number(row.net), 0)
}

async function mailCounts(urls: readonly string[]): Promise<{ messages: number; distinct: number }> {
  const rows = await askEveryShard<{ messages: string; distinct: string }>(
    urls,
    'SELECT count(*) AS messages, count(DISTINCT event_id) AS distinct FROM email.message',
  )
  const sum = (pick: 'messages' | 'distinct') => rows.flat().reduce((total, row) => total + Number(row[pick]), 0)
  return { messages: sum('messages'), distinct: sum('distinct') }
}

async function inParallel<T>(count: number, width: number, work: (index: number) => Promise<T>): Promise<T[]> {
  const results = new Array<T>(count)
  let next = 0
  const worker = async () => {
    for (let index = next++; index < count; index = next++) results[index] = await work(index)
  }
  await Promise.all(Array.from({ length: width }, worker))
  return results
}
