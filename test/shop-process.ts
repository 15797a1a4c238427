import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'

/**
 * The shop as its users run it: a process started by the command line, on free ports, with a data folder of its own.
 */
export type ShopProcess = {
  readonly gateway: string
  readonly admin: string
  readonly console: string
  readonly services: string
  readonly output: () => string
  readonly child: ChildProcess
  /** Sends a signal to the process, or to its whole group, as a terminal does with Ctrl-C. */
  signal(name: NodeJS.Signals, to?: 'process' | 'group'): void
  /** Exit code, or the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>
}

export type SpawnOptions = {
  /** The application; the shop if absent. */
  readonly app?: string
  /** How it is started; `start` if absent. */
  readonly command?: 'start' | 'dev'
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Who to run as, when that is not who runs the tests. */
  readonly account?: { readonly uid: number; readonly gid: number }
  /** The checkout to run and the Node to run it with; ours if absent. */
  readonly checkout?: { readonly folder: string; readonly node: string }
}

const ROOT = new URL('..', import.meta.url).pathname
const CLI = join('bin', 'groundswell.js')
const APP = join('examples', 'shop', 'app.ts')
const READY_TIMEOUT_MS = 90_000

/** Runs the command line and resolves with what it printed and its exit code. */
export async function run(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child = spawn(process.execPath, [CLI, ...args], { cwd: ROOT, env: { ...process.env, ...env } })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += chunk))
  child.stderr.on('data', (chunk) => (stderr += chunk))
  const code = await new Promise<number | null>((resolve) => child.on('close', (exitCode) => resolve(exitCode)))
  return { code, stdout, stderr }
}

/** Starts the shop (or the part that `--only` in `args` names) and resolves when it says that it is ready. */
export async function startShop(dataDir: string, options: SpawnOptions = {}): Promise<ShopProcess> {
  const env = { GATEWAY_PORT: '0', ADMIN_PORT: '0', CONSOLE_PORT: '0', PORT: '0', DATA_DIR: dataDir, ...options.env }
  const { app = APP, command = 'start', checkout = { folder: ROOT, node: process.execPath }, args = [] } = options
  const child = spawn(checkout.node, [CLI, command, app, ...args], {
    cwd: checkout.folder,
    env: { ...process.env, ...env },
    ...options.account,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal ?? 1))
  })
  const ready = new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`not ready within ${READY_TIMEOUT_MS} ms:\n${output}`)),
      READY_TIMEOUT_MS,
    )
    const watch = (chunk: Buffer) => {
      output += chunk
      if (/^ready/m.test(output)) {
        clearTimeout(timer)
        resolve()
      }
    }
    child.stdout.on('data', watch)
    child.stderr.on('data', watch)
    void exited.then((code) => {
      clearTimeout(timer)
      reject(new Error(`ended with ${code} before it was ready:\n${output}`))
    })
  })
  await ready
  const address = (name: string) => new RegExp(`^${name} +(http\\S+)`, 'm').exec(output)?.[1] ?? ''
  return {
    gateway: address('gateway'),
    admin: address('Admin API'),
    console: address('console'),
    services: address('services'),
    output: () => output,
    child,
    exited,
    signal(name, to = 'process') {
      const pid = child.pid
      if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return
      process.kill(to === 'group' ? -pid : pid, name)
    },
  }
}

/** A data folder in the temporary directory, and its removal. */
export async function temporaryDataDir(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'groundswell-test-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}

/** URLs of the embedded databases that the running shop of this folder uses. */
export async function databaseUrlsOf(dataDir: string): Promise<readonly string[]> {
  return (JSON.parse(await readFile(join(dataDir, 'connection.json'), 'utf8')) as { urls: string[] }).urls
}

/** Asks PostgreSQL itself, past the data layer: one query on every database, rows by shard. */
export async function askEveryShard<R extends pg.QueryResultRow>(
  urls: readonly string[],
  text: string,
  values: readonly unknown[] = [],
): Promise<R[][]> {
  return Promise.all(
    urls.map(async (connectionString) => {
      const client = new pg.Client({ connectionString })
      await client.connect()
      try {
        return (await client.query<R>(text, [...values])).rows
      } finally {
        await client.end()
      }
    }),
  )
}

/** A consumer's key, found through the Admin API. */
export async function keyOf(shop: Pick<ShopProcess, 'admin'>, consumer = 'storefront'): Promise<string> {
  const found = await fetch(`${shop.admin}/consumers/${consumer}/key-auth`)
  const { data } = (await found.json()) as { data: { key: string }[] }
  return data[0]?.key ?? ''
}

/** A client of the shop's gateway with a consumer's key. */
export async function clientOf(shop: Pick<ShopProcess, 'gateway' | 'admin'>, consumer = 'storefront') {
  const key = await keyOf(shop, consumer)
  return async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${shop.gateway}${path}`, {
      method,
      headers: { apikey: key, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    const parsed: unknown = /json/.test(response.headers.get('content-type') ?? '') ? JSON.parse(text) : text
    return { status: response.status, headers: response.headers, body: parsed as Record<string, unknown> }
  }
}
