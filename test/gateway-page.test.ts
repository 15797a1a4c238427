import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { Browser, Locator, Page } from 'playwright-core'
import { until } from '../src/testing/index.ts'
import { browserMissing, complaintsOf, launchBrowser } from './browser.ts'
import { assertConsoleBuilt } from './built-console.ts'
import { widthOfPage } from './in-page.ts'
import { databaseUrlsOf, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'

/** The console's page about the gateway, in a real browser, over the shop, whose Admin API has a token. */
const options = { skip: browserMissing }
const TOKEN = 'the-token-of-this-test'

let shop: ShopProcess
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>
let browser: Browser
let page: Page
let complaints: string[]

before(async () => {
  if (browserMissing !== false) return
  await assertConsoleBuilt()
  dataDir = await temporaryDataDir()
  shop = await startShop(dataDir.path, { env: { ADMIN_TOKEN: TOKEN } })
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

type Plugin = { readonly id: string; readonly config: Record<string, unknown> }

async function admin(method: string, path: string, body?: URLSearchParams): Promise<Plugin & { data: Plugin[] }> {
  const response = await fetch(shop.admin + path, {
    method,
    headers: { 'kong-admin-token': TOKEN },
    ...(body && { body }),
  })
  assert.ok(response.ok, `${method} ${path} answered ${response.status}`)
  return (await response.json()) as Plugin & { data: Plugin[] }
}

const drawer = () => page.getByRole('dialog')
const row = (...words: readonly string[]): Locator =>
  words.reduce((rows, word) => rows.filter({ hasText: word }), page.locator('tbody tr'))
const minute = () => drawer().getByLabel('minute', { exact: true })
const save = () => drawer().getByRole('button', { name: 'Save' }).click()

/** What registrations, which are refused for their empty body, are answered with. */
async function register(times: number): Promise<readonly number[]> {
  const statuses: number[] = []
  for (let n = 0; n < times; n++) {
    const headers = { 'content-type': 'application/json' }
    statuses.push((await fetch(`${shop.gateway}/users`, { method: 'POST', headers, body: '{}' })).status)
  }
  return statuses
}

test('the page asks for the token of the Admin API, and shows nothing before', options, async () => {
  await page.goto(`${shop.console}/#/gateway`)
  await page.getByLabel('Token of the Admin API').fill('another-token-entirely')
  await page.getByRole('button', { name: 'Unlock' }).click()
  await page.getByText('That was not it.').waitFor()
  await page.getByLabel('Token of the Admin API').fill(TOKEN)
  await page.getByRole('button', { name: 'Unlock' }).click()
  await row('order-service.post-orders').waitFor()
  assert.deepEqual(
    complaints.filter((complaint) => !complaint.includes('401')),
    [],
  )
  complaints.length = 0
})

test('a limit that is changed in the page acts at once, and what it refuses is seen there', options, async () => {
  const form = 'name=rate-limiting&config.minute=100&config.policy=local&config.limit_by=ip'
  const { id } = await admin('POST', '/services/user-service/plugins', new URLSearchParams(form))
  await page.getByRole('tab', { name: /Plugins/ }).click()
  await row('rate-limiting', 'user-service', 'minute 100').getByRole('button', { name: 'rate-limiting' }).click()
  assert.equal(await minute().inputValue(), '100')
  await minute().fill('5')
  await save()
  await drawer().getByText('Saved, and in force.').waitFor()
  const { config } = await admin('GET', `/plugins/${id}`)
  assert.deepEqual([config.minute, config.limit_by, config.policy], [5, 'ip', 'local'])

  // The window is the calendar minute: begin early enough in one.
  await until(() => Date.now() % 60_000 < 45_000, { what: 'a minute that has 15 seconds left' })
  assert.deepEqual(await register(6), [422, 422, 422, 422, 422, 429])
  await row('rate-limiting', 'minute 5').locator('td:last-child', { hasText: /^1$/ }).waitFor()
  await drawer().locator('.refused b', { hasText: /^1$/ }).waitFor()
  await page.getByRole('tab', { name: /Routes/ }).click()
  await row('user-service.post-users').locator('td:nth-last-child(2)', { hasText: /^6$/ }).waitFor()
  await row('user-service.post-users').getByRole('button').first().click()
  await page.locator('.legend', { hasText: '429' }).waitFor()
  assert.deepEqual(complaints, [])
})

test(
  'a value that the gateway refuses is said at its field in Kong’s words, and nothing is changed',
  options,
  async () => {
    const message = page.locator('[data-field="config.minute"] .message')
    for (const [value, words] of [
      ['-1', 'value must be greater than 0'],
      ['many', 'expected a number'],
    ] as const) {
      await minute().fill(value)
      await save()
      await message.filter({ hasText: words }).waitFor()
      assert.equal(await minute().getAttribute('aria-invalid'), 'true')
    }
    await drawer().getByText('Nothing was changed').waitFor()
    await drawer().getByLabel('hour', { exact: true }).fill('10')
    await minute().fill('50')
    await save()
    await drawer().getByText('The limit for hour(10.0) cannot be lower than the limit for minute(50.0)').waitFor()
    const { data } = await admin('GET', '/services/user-service/plugins')
    assert.deepEqual([data[0]?.config.minute, data[0]?.config.hour], [5, null])
    assert.equal(complaints.length, 3, 'the browser reports each answer of 400')
    complaints.length = 0
    await drawer().getByRole('button', { name: 'Undo' }).click()
    assert.equal(await minute().inputValue(), '5')
  },
)

test('what a form cannot do is edited as JSON', options, async () => {
  await drawer().getByRole('button', { name: 'JSON' }).click()
  const text = drawer().getByLabel('Configuration as JSON')
  await text.fill('{ "minute": ')
  await drawer().locator('.message').waitFor()
  assert.equal(await drawer().getByRole('button', { name: 'Save' }).isDisabled(), true)
  const { data } = await admin('GET', '/services/user-service/plugins')
  await text.fill(JSON.stringify({ ...data[0]?.config, minute: 7, error_message: 'slower, please' }))
  await save()
  await drawer().getByText('Saved, and in force.').waitFor()
  const { config } = await admin('GET', `/plugins/${data[0]?.id}`)
  assert.deepEqual([config.minute, config.error_message, config.limit_by], [7, 'slower, please', 'ip'])
})

test(
  'a plugin is switched off, and deleted once it was asked for twice; Esc closes what is open',
  options,
  async () => {
    await drawer().getByLabel('rate-limiting enabled').click()
    await until(async () => !(await register(8)).includes(429), { what: 'no limit' })
    await drawer().getByRole('button', { name: 'Delete …' }).click()
    await drawer().getByRole('button', { name: 'Delete it' }).click()
    await drawer().waitFor({ state: 'detached' })
    assert.deepEqual((await admin('GET', '/services/user-service/plugins')).data, [])
  },
)

test('a plugin is added for what is chosen, by a form made from its schema', options, async () => {
  await page.getByRole('button', { name: 'Add plugin' }).click()
  await drawer().getByLabel('plugin', { exact: true }).selectOption('request-termination')
  const { id: route } = await admin('GET', '/routes/user-service.post-users')
  assert.equal(await drawer().getByLabel('route', { exact: true }).inputValue(), route)
  await drawer().getByLabel('status_code').fill('418')
  await drawer().getByLabel('message', { exact: true }).fill('closed for today')
  await drawer().getByRole('button', { name: 'Add', exact: true }).click()
  await drawer().getByRole('heading', { name: 'request-termination' }).waitFor()
  assert.deepEqual(await register(1), [418])
  const { data } = await admin('GET', '/routes/user-service.post-users/plugins')
  assert.equal(data.length, 1)
  await page.keyboard.press('Escape')
  await drawer().waitFor({ state: 'detached' })
  await page.getByRole('tab', { name: /Plugins/ }).click()
  await page.keyboard.press('/')
  await page.keyboard.type('closed today')
  await until(async () => (await page.locator('tbody tr').count()) === 1, { what: 'the one plugin that fits' })
  assert.match((await row('request-termination').textContent()) ?? '', /status_code 418 · message closed for today/)
  assert.deepEqual(complaints, [])
})

test('targets show their health as the gateway sees it', options, async () => {
  await admin('POST', '/upstreams', new URLSearchParams('name=pool'))
  await admin('POST', '/upstreams/pool/targets', new URLSearchParams('target=127.0.0.1:9'))
  await page.getByLabel('Filter', { exact: true }).fill('')
  await page.getByRole('tab', { name: /Upstreams/ }).click()
  await row('pool', '127.0.0.1:9', 'HEALTHCHECKS_OFF').waitFor()
})

test(
  'a console in a process of its own reaches the gateway by ADMIN_URL, with the token of whoever asks',
  options,
  async (context) => {
    const folder = await temporaryDataDir()
    const DATABASE_URLS = (await databaseUrlsOf(dataDir.path)).join(',')
    const env = { DATABASE_URLS, ADMIN_URL: shop.admin }
    const apart = await startShop(folder.path, { args: ['--only', 'console'], env })
    context.after(async () => {
      apart.signal('SIGTERM')
      await apart.exited
      await folder.remove()
    })
    const ask = (token: string) => fetch(`${apart.console}/api/gateway`, { headers: { 'kong-admin-token': token } })
    assert.equal((await ask('another-token-entirely')).status, 401)
    const { plugins } = (await (await ask(TOKEN)).json()) as { plugins: { name: string }[] }
    assert.equal(plugins.filter(({ name }) => name === 'request-termination').length, 1)
  },
)

test('on a phone nothing of it is wider than the screen, with a plugin open or not', options, async () => {
  await page.setViewportSize({ width: 390, height: 844 })
  const { data } = await admin('GET', '/plugins')
  for (const parameters of ['', '?tab=plugins', `?plugin=${data[0]?.id}`]) {
    await page.goto(`${shop.console}/#/gateway${parameters}`)
    await page.locator('table').first().waitFor()
    assert.ok((await page.evaluate(widthOfPage)) <= 390, parameters)
  }
})
