import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

/** A real Chromium for tests: that of the machine, since playwright-core brings none. */
const EXECUTABLES = [
  process.env.CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/opt/google/chrome/chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
]

const ARGUMENTS = [
  // Containers run tests as root, for whom Chromium has no sandbox. It opens our own pages only.
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]

const executable = EXECUTABLES.find((path) => path !== undefined && existsSync(path))

/** The reason to skip a test that needs a browser; false where there is one. */
export const browserMissing: string | false =
  executable === undefined ? 'there is no Chromium: install one, or name it in CHROMIUM' : false

export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({ ...(executable === undefined ? {} : { executablePath: executable }), args: ARGUMENTS })
}

export type Watched = {
  readonly page: Page
  /** Errors and warnings of the page's console, exceptions, breaches of its security policy. */
  readonly complaints: string[]
}

/** A page of a visitor of its own, with nothing remembered. */
export async function visitor(browser: Browser, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext(options)
  const page = await context.newPage()
  return { page, complaints: complaintsOf(page) }
}

/** Collects what a page complains about from now on: what it throws or logs, resources that do not load among it. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = []
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text())
  })
  page.on('pageerror', (error) => complaints.push(error.message))
  return complaints
}
