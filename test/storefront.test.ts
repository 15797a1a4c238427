import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { until } from '../src/testing/index.ts'
import { browserMissing, launchBrowser, visitor } from './browser.ts'
import { clientOf, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'

/** The storefront in a real browser, before the real shop. */
const options = { skip: browserMissing }
/** More than any page has places to stop at. */
const TABS_MAX = 60

let shop: ShopProcess
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>
let browser: Browser
let operator: Awaited<ReturnType<typeof clientOf>>
let buyer: Awaited<ReturnType<typeof clientOf>>
let strangers = 0

before(async () => {
  if (browserMissing !== false) return
  dataDir = await temporaryDataDir()
  shop = await startShop(dataDir.path)
  operator = await clientOf(shop, 'operator')
  buyer = await clientOf(shop)
  browser = await launchBrowser()
})

after(async () => {
  await browser?.close()
  shop?.signal('SIGTERM')
  await shop?.exited
  await dataDir?.remove()
})

const url = (path = '') => `${shop.gateway}/shop/${path}`

/** The form of a product, filled in by somebody new. */
async function openForm(page: Page, sku: string): Promise<void> {
  await page.goto(url(`product?sku=${sku}`))
  await page.locator('#purchase').waitFor()
  if (!(await page.getByLabel('Name').isVisible())) return
  await page.getByLabel('Name').fill('Ada Lovelace')
  await page.getByLabel('E-mail').fill(`visitor-${strangers++}@example.com`)
}

const buyButton = (page: Page) => page.locator('#buy')
const headline = (page: Page) => page.getByRole('heading', { level: 1 })
const shipped = (page: Page) => headline(page).filter({ hasText: 'It is on its way.' }).waitFor()

/** How many orders the customer of this browser has, by the shop's own word. */
async function ordersOf(page: Page): Promise<number> {
  const customer: unknown = await page.evaluate('JSON.parse(localStorage.getItem("groundswell.customer"))')
  const { body } = await buyer('GET', `/users/${(customer as { id: number }).id}/orders`)
  return (body.orders as unknown[]).length
}

/** Answers questions about orders as of when they were placed, until it is released: shops may be too fast to watch. */
async function holdAtPlaced(page: Page): Promise<{ release(): void }> {
  let isHeld = true
  await page.route(/\/orders\/[0-9a-f-]{36}$/, async (route) => {
    const response = await route.fetch()
    const { reason: _, ...order } = (await response.json()) as { history: unknown[]; reason?: string }
    if (!isHeld) return route.fulfill({ response })
    return route.fulfill({ response, json: { ...order, status: 'placed', history: order.history.slice(0, 1) } })
  })
  return { release: () => (isHeld = false) }
}

/** Moves the focus by the keyboard until it is on what the selector names. */
async function tabTo(page: Page, selector: string): Promise<void> {
  for (let count = 0; count < TABS_MAX; count++) {
    await page.keyboard.press('Tab')
    if (await page.evaluate(`document.activeElement.matches(${JSON.stringify(selector)})`)) return
  }
  assert.fail(`the keyboard does not reach ${selector}`)
}

test('with the keyboard alone: from the goods to an order that is followed until it is shipped', options, async () => {
  const { page, complaints } = await visitor(browser)
  const earlier = await holdAtPlaced(page)
  await page.goto(url())
  await page.locator('[data-sku="poncho"] .stock', { hasText: 'left' }).waitFor()
  await tabTo(page, '.skip')
  await tabTo(page, '[data-sku="poncho"] a')
  await page.keyboard.press('Enter')
  await page.waitForURL(/product\?sku=poncho/)
  await page.locator('#purchase').waitFor()
  await tabTo(page, '#more')
  await page.keyboard.press('Enter')
  await tabTo(page, '[name="cardToken"]')
  await page.keyboard.press('ArrowRight')
  await tabTo(page, '[name="name"]')
  await page.keyboard.type('Grace')
  await tabTo(page, '[name="email"]')
  await page.keyboard.type(`keyboard-${strangers++}@example.com`)
  await page.keyboard.press('Enter')

  await page.waitForURL(/order\?id=/)
  await page.getByText('Asking the bank').waitFor()
  await page.evaluate('globalThis.isSamePage = true')
  earlier.release()
  await shipped(page)
  assert.equal(await page.evaluate('globalThis.isSamePage'), true, 'the page was not loaded again')
  const steps = await page.locator('#timeline .step-words').allTextContents()
  assert.deepEqual(steps, ['Order placed', 'Card accepted', 'Set aside for you', 'Confirmed', 'Shipped'])
  assert.equal(await page.locator('#timeline time').count(), steps.length, 'each step has its time')
  assert.match((await page.locator('#lines').textContent()) ?? '', /Changing poncho, one size2 × €49\.00/)

  await page.goto(url('orders'))
  await page.locator('.order-list .status', { hasText: 'Shipped' }).waitFor()
  assert.deepEqual(complaints, [])
})

test('a declined card is explained, and the way back leads to another card', options, async () => {
  const { page, complaints } = await visitor(browser)
  await openForm(page, 'wax-cold')
  await page.locator('label', { hasText: 'Declined' }).click()
  await buyButton(page).click()
  await page.locator('#explanation', { hasText: 'Nothing was charged' }).waitFor()
  assert.equal(await headline(page).textContent(), 'The card was declined.')
  await page.getByRole('link', { name: 'Try another card' }).click()
  await openForm(page, 'wax-cold')
  await buyButton(page).click()
  await shipped(page)
  assert.equal(await ordersOf(page), 2)
  assert.deepEqual(complaints, [])
})

test('what is sold out cannot be bought, and who was too late learns why', options, async () => {
  const last = { name: 'The last one', priceCents: 1_000, stock: 0 }
  assert.equal((await operator('PUT', '/products/last-one', last)).status, 200)
  const { page, complaints } = await visitor(browser)
  await page.goto(url('product?sku=last-one'))
  await page.getByRole('button', { name: 'Sold out' }).waitFor()
  assert.equal(await buyButton(page).isDisabled(), true)

  // A page that has not heard yet that it is gone.
  await page.route('**/products/last-one', (route) => route.fulfill({ json: { sku: 'last-one', ...last, stock: 3 } }))
  await page.route('**/stock?*', (route) => route.fulfill({ json: { levels: [{ sku: 'last-one', available: 3 }] } }))
  await openForm(page, 'last-one')
  await page.getByText('Only 3 left').waitFor()
  await buyButton(page).click()
  await page.locator('#verdict[data-status="rejected"]').waitFor()
  assert.equal(await headline(page).textContent(), 'Sold out.')
  assert.match((await page.locator('#explanation').textContent()) ?? '', /Somebody was faster/)
  assert.deepEqual(complaints, [])
})

test('the stock on the page follows the shop', options, async () => {
  const rare = { name: 'A rare thing', priceCents: 1_000, stock: 7 }
  await operator('PUT', '/products/rare', rare)
  const { page, complaints } = await visitor(browser)
  await page.goto(url())
  const stock = page.locator('[data-sku="rare"] .stock')
  await stock.filter({ hasText: 'Only 7 left' }).waitFor()
  await page.locator('#scarcest', { hasText: 'A rare thing' }).waitFor()
  await operator('PUT', '/products/rare', { ...rare, stock: 0 })
  await stock.filter({ hasText: 'Sold out' }).waitFor()
  assert.equal(await page.locator('#scarcest', { hasText: 'A rare thing' }).count(), 0)
  assert.deepEqual(complaints, [])
})

test('a double click buys once', options, async () => {
  const { page, complaints } = await visitor(browser)
  await openForm(page, 'leash-7')
  await buyButton(page).dblclick()
  await shipped(page)
  assert.equal(await ordersOf(page), 1)
  assert.deepEqual(complaints, [])
})

test(
  'a purchase whose answer was lost is tried again and bought once, and the next one is another',
  options,
  async () => {
    const { page } = await visitor(browser)
    await openForm(page, 'leash-7')
    const keys: (string | undefined)[] = []
    await page.route('**/orders', async (route) => {
      keys.push(route.request().headers()['idempotency-key'])
      // The order arrives, its answer does not.
      await route.fetch()
      await route.abort('connectionreset')
    })
    await buyButton(page).click()
    await page.getByText('it will be placed once', { exact: false }).waitFor()
    assert.equal(await ordersOf(page), 1)
    // Not even a reload makes it another purchase.
    await page.unroute('**/orders')
    page.on('request', (request) => {
      if (request.method() === 'POST') keys.push(request.headers()['idempotency-key'])
    })
    await openForm(page, 'leash-7')
    await buyButton(page).click()
    await shipped(page)
    assert.equal(await ordersOf(page), 1)
    assert.equal(keys.length, 2)
    assert.equal(keys[0], keys[1])

    await openForm(page, 'leash-7')
    await buyButton(page).click()
    await shipped(page)
    assert.equal(await ordersOf(page), 2)
    assert.notEqual(keys[2], keys[1])
  },
)

test('who is offline is told so, and buys once the network is back', options, async () => {
  const { page } = await visitor(browser)
  await openForm(page, 'fins-tri')
  await page.context().setOffline(true)
  await buyButton(page).click()
  await page.getByRole('alert').filter({ hasText: 'You are offline.' }).waitFor()
  await page.context().setOffline(false)
  await buyButton(page).click()
  await shipped(page)
  assert.equal(await ordersOf(page), 1)
})

test('who is rate-limited is told how long to wait', options, async () => {
  const added = await fetch(`${shop.admin}/routes/order-service.post-orders/plugins`, {
    method: 'POST',
    body: new URLSearchParams({ name: 'rate-limiting', 'config.year': '1', 'config.policy': 'local' }),
  })
  assert.equal(added.status, 201)
  const { id } = (await added.json()) as { id: string }
  try {
    const { page } = await visitor(browser)
    await openForm(page, 'boots-5mm')
    await buyButton(page).click()
    await shipped(page)
    await openForm(page, 'boots-5mm')
    await buyButton(page).click()
    const alert = page.getByRole('alert').filter({ hasText: 'Too many requests' })
    await alert.filter({ hasText: /\d+ minutes/ }).waitFor()
    assert.equal(await buyButton(page).isDisabled(), true)
    assert.equal(await ordersOf(page), 1)
  } finally {
    await fetch(`${shop.admin}/plugins/${id}`, { method: 'DELETE' })
  }
})

test('an address that is taken, an order and a product that do not exist are explained', options, async () => {
  const { page } = await visitor(browser)
  await page.goto(url('product?sku=poncho'))
  await page.getByLabel('Name').fill('Not Ada')
  await page.getByLabel('E-mail').fill('ada@example.com')
  await buyButton(page).click()
  await page.getByRole('alert').filter({ hasText: 'registered with this e-mail address already' }).waitFor()
  for (const [path, words] of [
    ['order?id=nonsense', 'There is no such order.'],
    ['product?sku=nonsense', 'There is no such thing in the shop.'],
    ['nonsense', 'Nothing washed up here.'],
  ] as const) {
    await page.goto(url(path))
    await page.getByText(words).waitFor()
  }
})

test('every page fits a phone, stands still for who asks for it, and names what it shows', options, async () => {
  const { page, complaints } = await visitor(browser, {
    viewport: { width: 340, height: 700 },
    colorScheme: 'dark',
    reducedMotion: 'reduce',
  })
  await openForm(page, 'poncho')
  await page.locator('label', { hasText: 'Slow' }).click()
  await buyButton(page).click()
  await page.locator('#timeline li').first().waitFor()
  const order = page.url().slice(url().length)
  for (const path of ['', 'product?sku=poncho', order, 'orders']) {
    await page.goto(url(path))
    await until(async () => (await page.locator('svg.art').count()) > 0, { what: `pictures at ${path}` })
    assert.equal(await page.evaluate('document.documentElement.scrollWidth - innerWidth'), 0, `${path} fits`)
    const running = 'document.getAnimations().filter((one) => one instanceof CSSAnimation).length'
    assert.equal(await page.evaluate(running), 0, `${path} stands still`)
    assert.equal(await page.locator('main h1').count(), 1, `${path} has one heading`)
    const nameless = 'a, button, input'
    for (const element of await page.locator(nameless).filter({ visible: true }).all()) {
      const named = await element.ariaSnapshot()
      assert.match(named, /"[^"]+"/, `${path}: ${await element.evaluate('(element) => element.outerHTML')}`)
    }
  }
  assert.deepEqual(complaints, [])
})
