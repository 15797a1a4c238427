import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import type { Browser, Locator, Page } from 'playwright-core'
import { build } from 'vite'
import { type Console, createConsole } from '../src/console/index.ts'
import { createFixtureView } from '../src/console/telemetry-fixture.ts'
import { app } from '../src/core/index.ts'
import { until } from '../src/testing/index.ts'
import { browserMissing, complaintsOf, launchBrowser } from './browser.ts'
import { assertConsoleBuilt } from './built-console.ts'
import { coloursOf, contrasts, fillOf, picture, themeColours, topmostInk, transformOf, widthOfPage } from './in-page.ts'
import { run, startShop, temporaryDataDir } from './shop-process.ts'

/** The web console in a real browser: over a system made up, whose figures are known, and over the shop under load. */

/** What the console may cost a browser before the first figure is on screen, all scripts together, packed. */
const SCRIPT_BYTES_MAX = 150 * 1024

const ROOT = resolve(import.meta.dirname, '..')

let folder = ''
let browser: Browser
let made: Console
let origin = ''
const view = createFixtureView({ startedAtMs: Date.now() - 1_800_000 })

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-console-'))
  const configFile = join(ROOT, 'console/vite.config.ts')
  await build({ configFile, logLevel: 'error', build: { outDir: folder, emptyOutDir: true } })
  const parts = { app: app('shop', { services: [] }), view, shards: [], pages: () => {} }
  made = await createConsole({ ...parts, folder })
  origin = `http://localhost:${(await made.listen({ host: '127.0.0.1', port: 0 })).port}`
  if (browserMissing === false) browser = await launchBrowser()
})

after(async () => {
  await browser?.close()
  await made.close({ deadlineAtMs: 0 })
  await rm(folder, { recursive: true })
})

test('the console is no more than 150 kB of script, and nothing of it comes from elsewhere', async () => {
  const names = await readdir(join(folder, 'assets'))
  const scripts = await Promise.all(
    names.filter((name) => name.endsWith('.js')).map((name) => readFile(join(folder, 'assets', name))),
  )
  const packedBytes = scripts.reduce((sum, script) => sum + gzipSync(script).length, 0)
  assert.ok(scripts.length > 0 && packedBytes <= SCRIPT_BYTES_MAX, `${packedBytes} bytes`)
  const page = await readFile(join(folder, 'index.html'), 'utf8')
  assert.doesNotMatch(page, /(?:src|href)="(?:https?:)?\/\//)
})

async function openPage(url: string): Promise<{ page: Page; complaints: readonly string[] }> {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } })
  const complaints = complaintsOf(page)
  await page.goto(url)
  await page.locator('.pulse.live').waitFor()
  return { page, complaints }
}

test('the first screen says how things are, with the worst service in red and what is over 80 % glowing', {
  skip: browserMissing,
}, async () => {
  const { page, complaints } = await openPage(origin)
  assert.match(await shown(page.locator('h1')), /POST \/orders is slower than usual/)
  for (const title of ['Global API Latency', 'Service Error Rates', 'CPU Utilization', 'Message Lag']) {
    assert.ok(await page.getByRole('heading', { name: title, exact: true }).isVisible(), title)
  }
  const worst = page.locator('.donut path').first()
  assert.equal(await worst.getAttribute('data-share'), 'payment-service')
  const [red, orange] = await page.evaluate(themeColours, ['red', 'orange'])
  assert.equal(await worst.evaluate(fillOf), rgb(red))
  const colours = await page.locator('.heat canvas').nth(3).evaluate(coloursOf)
  assert.ok(colours.includes(rgb(orange)), `the instance that is hot has ${rgb(orange)}`)
  assert.match(await shown(page.locator('.panel', { hasText: 'Message Lag' })), /order\.placed\s+email-service/)
  assert.deepEqual(complaints, [])
  await page.close()
})

test('a spike is still seen half an hour later, and dragging over it zooms every chart', {
  skip: browserMissing,
}, async () => {
  const { page, complaints } = await openPage(origin)
  const chart = page.locator('.chart-host').first()
  const inkOf = () => chart.locator('canvas').evaluate(topmostInk)
  const spikeTop = await inkOf()
  assert.ok(spikeTop < 0.6, `the line reaches ${Math.round((1 - spikeTop) * 100)} % of the chart's height`)
  const box = await chart.locator('.u-over').boundingBox()
  assert.ok(box !== null)
  await page.mouse.move(box.x + box.width * 0.25, box.y + 40)
  await page.mouse.down()
  await page.mouse.move(box.x + box.width * 0.35, box.y + 40, { steps: 4 })
  await page.mouse.up()
  await page.locator('.pulse.paused').waitFor()
  assert.match(page.url(), /from=\d+&to=\d+/, 'the address holds the time')
  await page.keyboard.press('Escape')
  await page.locator('.pulse.live').waitFor()
  assert.deepEqual(complaints, [])
  await page.close()
})

test('the crosshair of one chart is on all', { skip: browserMissing }, async () => {
  const { page } = await openPage(`${origin}/#/infrastructure`)
  const overs = page.locator('.u-over')
  await overs.first().hover({ position: { x: 100, y: 50 } })
  for (const index of [1, 2]) {
    const transform = await overs.nth(index).locator('.u-cursor-x').evaluate(transformOf)
    assert.match(transform, /^matrix\(1, 0, 0, 1, \d{2,3}/)
  }
  await page.close()
})

test('the keyboard alone leads to a trace, its spans, and back', { skip: browserMissing }, async () => {
  const { page, complaints } = await openPage(origin)
  await page.keyboard.press('Tab')
  assert.equal(await shown(page.locator(':focus')), 'Skip to the content')
  await page.keyboard.press('?')
  await page.getByRole('dialog').waitFor()
  await page.keyboard.press('Escape')
  await page.keyboard.press('g')
  await page.keyboard.press('t')
  await page.locator('table.traces').waitFor()
  await page.keyboard.press('/')
  await page.keyboard.type('orders')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Tab')
  await page.keyboard.press('ArrowDown')
  await page.keyboard.press('Enter')
  await page.locator('.waterfall').waitFor()
  assert.equal(await page.locator('.waterfall li').count(), 9)
  await page.locator('.waterfall button').first().focus()
  await page.keyboard.press('ArrowDown')
  assert.match(await shown(page.locator('.facts')), /service\s+order-service/)
  await page.keyboard.press('Escape')
  await page.locator('table.traces').waitFor()
  assert.deepEqual(complaints, [])
  await page.close()
})

test('text has the contrast that people need, in light and in dark', { skip: browserMissing }, async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    const page = await browser.newPage({ colorScheme })
    await page.goto(origin)
    await page.locator('.pulse.live').waitFor()
    const ratios = await page.evaluate(contrasts)
    for (const [pair, ratio] of Object.entries(ratios)) assert.ok(ratio >= 4.5, `${colorScheme}: ${pair} has ${ratio}`)
    await page.close()
  }
})

test('on a phone nothing is wider than the screen', { skip: browserMissing }, async () => {
  const page = await browser.newPage({ viewport: { width: 390, height: 844 } })
  for (const name of ['overview', 'services', 'infrastructure', 'traces', 'alerts']) {
    await page.goto(`${origin}/#/${name}`)
    await page.locator('.panel').first().waitFor()
    assert.ok((await page.evaluate(widthOfPage)) <= 390, name)
  }
  await page.close()
})

test('over the shop under load the four views move, and the page has nothing to complain about', {
  skip: browserMissing,
}, async () => {
  await assertConsoleBuilt()
  const dataDir = await temporaryDataDir()
  const shop = await startShop(dataDir.path)
  try {
    const { page, complaints } = await openPage(shop.console)
    const target = ['--url', shop.gateway, '--admin-url', shop.admin]
    const load = run(['load', 'examples/shop/load/orders.ts', '--rate', '60', '--duration', '20s', ...target])
    const latency = page.locator('.chart-host canvas').first()
    const figures = () => shown(page.locator('.key-figures'))
    const lagText = () => shown(page.locator('.panel', { hasText: 'Message Lag' }))
    await until(async () => /order\.placed/.test(await lagText()), { what: 'consumer groups in Message Lag' })
    await until(async () => /[1-9]\d*\/s/.test(await figures()), { what: 'requests in the figures', timeoutMs: 30_000 })
    const before = [await latency.evaluate(picture), await heatPicture(page), await figures(), await lagText()]
    const names = ['Global API Latency', 'CPU Utilization', 'the figures', 'Message Lag']
    await until(
      async () => {
        const now = [await latency.evaluate(picture), await heatPicture(page), await figures(), await lagText()]
        return now.every((part, index) => part !== before[index])
      },
      { what: `${names.join(', ')} moved`, timeoutMs: 30_000 },
    )
    assert.match(await shown(page.locator('.panel', { hasText: 'Service Error Rates' })), /No errors|errors/)
    await page.keyboard.press('g')
    await page.keyboard.press('m')
    await until(async () => (await page.locator('.letters li').count()) > 0, { what: 'letters in the mailbox' })
    assert.equal((await load).code, 0)
    assert.deepEqual(complaints, [])
  } finally {
    shop.signal('SIGTERM')
    await shop.exited
    await dataDir.remove()
  }
})

function heatPicture(page: Page): Promise<string> {
  return page.locator('.heat canvas').first().evaluate(picture)
}

/** The text of an element as it is seen, with its breaks. */
async function shown(locator: Locator): Promise<string> {
  return (await locator.allInnerTexts()).join('\n')
}

/** `#cf222e` → `rgb(207, 34, 46)`. */
function rgb(hex = ''): string {
  const [red, green, blue] = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16))
  return `rgb(${red}, ${green}, ${blue})`
}
