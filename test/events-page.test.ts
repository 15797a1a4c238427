import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { until } from '../src/testing/index.ts'
import { browserMissing, complaintsOf, launchBrowser } from './browser.ts'
import { assertConsoleBuilt } from './built-console.ts'
import { widthOfPage } from './in-page.ts'
import {
  askEveryShard,
  clientOf,
  databaseUrlsOf,
  type ShopProcess,
  startShop,
  temporaryDataDir,
} from './shop-process.ts'

/** The console's page about events, in a real browser, over the shop with a payment provider that fails. */
const options = { skip: browserMissing }

let shop: ShopProcess
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>
let buyer: Awaited<ReturnType<typeof clientOf>>
let browser: Browser
let page: Page
let complaints: string[]
let unlucky = 0
let stuck = ''

before(async () => {
  if (browserMissing !== false) return
  await assertConsoleBuilt()
  dataDir = await temporaryDataDir()
  shop = await startShop(dataDir.path, { env: { EVENTS_ATTEMPTS_MAX: '1' } })
  buyer = await clientOf(shop)
  browser = await launchBrowser()
  page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  complaints = complaintsOf(page)
})

after(async () => {
  await browser?.close()
  shop?.signal('SIGTERM')
  await shop?.exited
  await dataDir?.remove()
})

async function place(userId: number, cardToken: string): Promise<string> {
  const placed = await buyer('POST', '/orders', { userId, lines: [{ sku: 'poncho', quantity: 1 }], cardToken })
  assert.equal(placed.status, 202)
  return placed.body.orderId as string
}

const statusOf = async (orderId: string) => (await buyer('GET', `/orders/${orderId}`)).body.status
const letters = () => page.locator('.dead-letter')
const row = (group: string, topic: string) =>
  page.getByRole('row').filter({ hasText: group }).filter({ hasText: topic }).first()
const drawer = () => page.getByRole('dialog')

test(
  'an event that exhausts its attempts is a row with its cause, its key and what waits behind it',
  options,
  async () => {
    unlucky = (await buyer('POST', '/users', { email: 'unlucky@example.com', name: 'Unlucky' })).body.id as number
    await page.goto(`${shop.console}/#/events`)
    await row('payment-service', 'order.placed').waitFor()
    await page.getByText('No dead letters').waitFor()
    stuck = await place(unlucky, 'tok_fail')
    await place(unlucky, 'tok_visa')
    await letters().filter({ hasText: 'failed to charge tok_fail' }).filter({ hasText: '1 behind it' }).waitFor()
    const words = (await letters().textContent()) ?? ''
    assert.match(words, new RegExp(`order\\.placed.*key ${unlucky}`))
    assert.equal(await row('payment-service', 'order.placed').locator('td').last().textContent(), '1')
    assert.deepEqual(complaints, [])
  },
)

test('it unfolds to its payload, and to its trace while that is kept', options, async () => {
  await letters().locator('summary').click()
  assert.match((await letters().locator('pre').last().textContent()) ?? '', new RegExp(`"orderId": "${stuck}"`))
  const trace = letters().getByRole('link')
  await trace.click()
  await page.locator('.waterfall').getByText('POST /orders').first().waitFor()
  await page.goBack()
  await letters().waitFor()
})

test(
  'redriven too early it comes back; redriven after the repair it vanishes, and its orders ship',
  options,
  async () => {
    const urls = await databaseUrlsOf(dataDir.path)
    const failedAt = async () => {
      const found = await askEveryShard<{ at: Date }>(
        urls,
        `SELECT last_failed_at AS at FROM groundswell.parked_event WHERE state = 'dead'`,
      )
      return found.flat()[0]?.at.getTime() ?? 0
    }
    const before = await failedAt()
    await letters().getByRole('button', { name: 'Redrive' }).click()
    await until(async () => (await failedAt()) > before, { what: 'another failure' })
    await letters().waitFor()
    await askEveryShard(urls, 'UPDATE payment_provider.charge SET recovers = true')
    const group = page.getByRole('region', { name: 'Dead letters of payment-service' })
    await group.getByRole('button', { name: 'Redrive it …' }).click()
    await group.getByText('what waits behind follows in order').waitFor()
    await group.getByRole('button', { name: 'Redrive', exact: true }).first().click()
    await page.getByText('No dead letters').waitFor()
    await until(async () => (await statusOf(stuck)) === 'shipped', { timeoutMs: 60_000, what: 'the order shipped' })
    assert.deepEqual(complaints, [])
  },
)

test(
  'a group is paused once that was asked twice, keeps what comes, and goes on when it is resumed',
  options,
  async () => {
    await row('email-service', 'order').getByRole('button', { name: 'email-service' }).click()
    await drawer().getByRole('button', { name: 'Pause …' }).click()
    await drawer().getByRole('button', { name: 'Pause it' }).click()
    await drawer().locator('.state', { hasText: 'paused' }).waitFor()
    await page.locator('.key-figures', { hasText: '1 paused' }).waitFor()
    // It may have begun a batch before it learned of the pause.
    await until(
      async () => {
        await place(unlucky, 'tok_visa')
        const cells = drawer().locator('tbody tr').first().locator('td')
        return Number(await cells.nth(4).textContent()) > 0
      },
      { timeoutMs: 60_000, what: 'events that wait' },
    )
    await drawer().getByRole('button', { name: 'Resume …' }).click()
    await drawer().getByRole('button', { name: 'Resume it' }).click()
    await drawer().locator('.state', { hasText: 'running' }).waitFor()
    await drawer().locator('tbody tr:not(.idle)').first().waitFor({ state: 'detached' })
    await page.keyboard.press('Escape')
    await drawer().waitFor({ state: 'detached' })
    assert.deepEqual(complaints, [])
  },
)

test('on a phone nothing of it is wider than the screen, with a group open or not', options, async () => {
  await page.setViewportSize({ width: 390, height: 844 })
  for (const parameters of ['', '?group=email-service']) {
    await page.goto(`${shop.console}/#/events${parameters}`)
    await page.locator('table').first().waitFor()
    assert.ok((await page.evaluate(widthOfPage)) <= 390, parameters)
  }
})
