import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { until } from '../src/testing/index.ts'
import {
  askEveryShard,
  clientOf,
  databaseUrlsOf,
  run,
  type ShopProcess,
  startShop,
  temporaryDataDir,
} from './shop-process.ts'

/** Customers who order one after the other until they are refused. */
const STREAMS = 100

/** What a process printed about how long its start took. */
function readySeconds(shop: ShopProcess): number {
  return Number(/^ready in (\d+\.\d) s\./m.exec(shop.output())?.[1])
}

test('a first start is ready with seed data and says how to use it; Ctrl-C drains; the next start keeps the data', async (t) => {
  const dataDir = await temporaryDataDir()
  const shops: ShopProcess[] = []
  t.after(async () => {
    for (const shop of shops) shop.signal('SIGTERM')
    for (const shop of shops) await shop.exited
    await dataDir.remove()
  })
  const first = await startShop(dataDir.path)
  shops.push(first)
  for (const word of ['order-service', 'POST /orders', 'order.placed', 'shard_3', 'apikey']) {
    assert.ok(first.output().includes(word), `the table says ${word}`)
  }
  const buyer = await clientOf(first)
  const products = (await buyer('GET', '/products')).body.products as unknown[]
  assert.ok(products.length > 0)
  const user = await buyer('POST', '/users', { email: 'keeper@example.com', name: 'Keeper' })
  // A terminal sends Ctrl-C to every process of the group at once, and npm passes it on once more.
  first.signal('SIGINT', 'group')
  first.signal('SIGINT')
  assert.equal(await first.exited, 0)

  const second = await startShop(dataDir.path)
  shops.push(second)
  const starts = [readySeconds(first), readySeconds(second)] as const
  t.diagnostic(`ready in ${starts[0]} s, then in ${starts[1]} s`)
  assert.ok(starts[1] < starts[0], `first ready in ${starts[0]} s, then in ${starts[1]} s`)
  const again = await clientOf(second)
  assert.equal((await again('GET', `/users/${user.body.id}/profile`)).status, 200)
  second.signal('SIGTERM')
  assert.equal(await second.exited, 0)
})

test('while it drains every order that was begun is answered or was never made', async () => {
  const dataDir = await temporaryDataDir()
  try {
    const shop = await startShop(dataDir.path)
    const buyer = await clientOf(shop)
    const user = (await buyer('POST', '/users', { email: 'drain@example.com', name: 'Drain' })).body.id
    const order = { userId: user, lines: [{ sku: 'poncho', quantity: 1 }], cardToken: 'tok_visa' }
    let accepted = 0
    const lastAnswers = Array.from({ length: STREAMS }, async () => {
      for (;;) {
        // A connection that is cut is an answer too: the request behind it must then have had no effect.
        const answer = await buyer('POST', '/orders', order).catch((error: Error) => error)
        if (answer instanceof Error) return `no answer: ${answer.message}`
        if (answer.status !== 202) return `status ${answer.status}`
        accepted += 1
      }
    })
    await until(() => accepted >= STREAMS, { what: 'orders accepted' })
    shop.signal('SIGINT', 'group')
    const ends = await Promise.all(lastAnswers)
    assert.equal(await shop.exited, 0)
    assert.deepEqual(new Set(ends), new Set(['no answer: fetch failed']), 'no request was accepted and then failed')

    const next = await startShop(dataDir.path)
    const urls = await databaseUrlsOf(dataDir.path)
    await until(async () => (await unfinished(urls)) === 0, { timeoutMs: 60_000, what: 'every accepted order final' })
    const rows = await askEveryShard<{ count: string }>(urls, 'SELECT count(*) FROM orders.orders')
    const made = rows.flat().reduce((sum, row) => sum + Number(row.count), 0)
    assert.equal(made, accepted, 'orders in the databases are those that got their 202')
    next.signal('SIGTERM')
    assert.equal(await next.exited, 0)
  } finally {
    await dataDir.remove()
  }
})

test('a data folder in use is refused in one line, and its owner goes on', async () => {
  const dataDir = await temporaryDataDir()
  try {
    const owner = await startShop(dataDir.path)
    const second = await run(['start', 'examples/shop/app.ts'], {
      DATA_DIR: dataDir.path,
      GATEWAY_PORT: '0',
      ADMIN_PORT: '0',
      CONSOLE_PORT: '0',
    })
    assert.equal(second.code, 1)
    assert.match(second.stderr, new RegExp(`^error DATA_DIR_LOCKED: .*${owner.child.pid}.*\\n$`))
    assert.equal((await fetch(`${owner.gateway}/products`)).status, 200)
    owner.signal('SIGTERM')
    assert.equal(await owner.exited, 0)
  } finally {
    await dataDir.remove()
  }
})

test('a busy port is refused in one line before anything is written', async () => {
  const dataDir = await temporaryDataDir()
  const holder = createServer()
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = holder.address() as { port: number }
    const result = await run(['start', 'examples/shop/app.ts'], {
      DATA_DIR: dataDir.path,
      GATEWAY_PORT: '0',
      ADMIN_PORT: String(port),
      CONSOLE_PORT: '0',
    })
    assert.equal(result.code, 1)
    assert.match(result.stderr, new RegExp(`^error RUNTIME_PORT_BUSY: .*${port}.*ADMIN_PORT.*\\n$`))
    assert.deepEqual(await readdir(dataDir.path), [])
  } finally {
    holder.close()
    await dataDir.remove()
  }
})

test('a Node that is too old is refused in one line, and no other', async () => {
  for (const version of ['20.19.0', '22.20.9', '23.11.1', '24.8.0']) {
    const result = await runOnNode(version)
    assert.equal(result.code, 1)
    assert.equal(result.stdout, '')
    assert.ok(result.stderr.startsWith(`error: Groundswell needs Node ^22.21.0 || >=24.9.0, this is ${version}. `))
    assert.match(result.stderr, /^.+\n$/)
  }
  for (const version of ['22.21.0', '22.30.1', '24.9.0', '25.0.0', '26.10.0']) {
    assert.equal((await runOnNode(version)).code, 0, version)
  }
})

/** Asks for the version, on a Node that says it is another. */
function runOnNode(version: string) {
  const said = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } })`
  return run(['--version'], { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(said)}` })
}

async function unfinished(urls: readonly string[]): Promise<number> {
  const rows = await askEveryShard<{ count: string }>(
    urls,
    `SELECT count(*) FROM orders.orders WHERE status NOT IN ('shipped', 'rejected')`,
  )
  return rows.flat().reduce((sum, row) => sum + Number(row.count), 0)
}
