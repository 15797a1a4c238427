import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import flashSale from '../examples/shop/load/flash-sale.ts'
import { runScenario, until } from '../src/testing/index.ts'
import {
  askEveryShard,
  clientOf,
  databaseUrlsOf,
  run,
  type ShopProcess,
  startShop,
  temporaryDataDir,
} from './shop-process.ts'

const ORDERS = 2_000
const STOCK = 1_000
const PRICE_CENTS = 4_900

/** For the slowest answer of the burst, and of a machine that does other things too. */
const TIMEOUT_MS = 60_000

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
  const { report, conclusion } = await runScenario(flashSale, {
    url: shop.gateway,
    adminUrl: shop.admin,
    settings: { sku: 'wave-machine', orders: String(ORDERS), stock: String(STOCK), users: '50' },
    timeoutMs: TIMEOUT_MS,
    log: () => {},
  })
  // All at once: each request on a connection of its own, none held back until another has its answer.
  assert.deepEqual([report.asked, report.dropped, report.failures], [ORDERS, 0, {}])
  assert.deepEqual(report.statuses, { 202: ORDERS })
  assert.deepEqual(conclusion?.problems, [])

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

  assert.equal((await (await clientOf(shop))('GET', '/products/wave-machine')).body.stock, 0)
  await until(async () => (await netMoney(urls)) === STOCK * PRICE_CENTS, {
    timeoutMs: 60_000,
    what: 'money given back',
  })
  await until(async () => (await mailCounts(urls)).messages === ORDERS + (ORDERS - STOCK), {
    timeoutMs: 60_000,
    what: 'one mail for each order placed and each order rejected',
  })
  const mails = ORDERS + (ORDERS - STOCK)
  assert.deepEqual(await mailCounts(urls), { messages: mails, distinct: mails }, 'one of each kind for an order')
})

test('every group of the shop may be sent back to its beginning: nothing is done twice, and nothing fails', async () => {
  const urls = await databaseUrlsOf(dataDir.path)
  const books = () => Promise.all([netMoney(urls), mailCounts(urls), rowsOf(urls, BOOKS)])
  const before = await books()
  const env = { DATA_DIR: dataDir.path }
  const groups = new Set((await lags(env)).map(({ group }) => group))
  assert.ok(groups.size >= 5, [...groups].join())
  for (const group of groups) {
    const replayed = await run(['events', 'replay', group, '--from', 'earliest'], env)
    assert.equal(replayed.code, 0, replayed.stderr)
  }
  const isDone = ({ lag, isReplaying }: Lag) => lag === 0 && !isReplaying
  await until(async () => (await lags(env)).every(isDone), { timeoutMs: 120_000, what: 'every group at the end again' })
  assert.deepEqual(await rowsOf(urls, 'SELECT grp, topic FROM groundswell.parked_event'), [])
  assert.deepEqual(await books(), before)
})

type Lag = { readonly group: string; readonly lag: number; readonly isReplaying: boolean }

async function lags(env: Readonly<Record<string, string>>): Promise<readonly Lag[]> {
  const { code, stdout, stderr } = await run(['events', 'lag', '--json'], env)
  assert.equal(code, 0, stderr)
  return (JSON.parse(stdout) as { groups: Lag[] }).groups
}

/** What each service has written down of orders, by its state. */
const BOOKS = `
  SELECT 'order' AS what, status AS state, count(*) FROM orders.orders GROUP BY 2
  UNION ALL SELECT 'payment', state, count(*) FROM payments.payment GROUP BY 2
  UNION ALL SELECT 'shipment', '', count(*) FROM shipping.shipment
  ORDER BY 1, 2`

async function rowsOf(urls: readonly string[], text: string): Promise<Record<string, string>[]> {
  return (await askEveryShard<Record<string, string>>(urls, text)).flat()
}

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
    'SELECT count(*) AS messages, count(DISTINCT (order_id, subject)) AS distinct FROM email.message',
  )
  const sum = (pick: 'messages' | 'distinct') => rows.flat().reduce((total, row) => total + Number(row[pick]), 0)
  return { messages: sum('messages'), distinct: sum('distinct') }
}
