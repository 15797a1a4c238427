import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { until } from '../src/testing/index.ts'
import { askEveryShard, clientOf, databaseUrlsOf, run, startShop, temporaryDataDir } from './shop-process.ts'

test('a first start is ready with seed data and says how to use it; Ctrl-C drains; the next start keeps the data', async () => {
  const dataDir = await temporaryDataDir()
  try {
    const first = await startShop(dataDir.path)
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
    const again = await clientOf(second)
    assert.equal((await again('GET', `/users/${user.body.id}/profile`)).status, 200)
    second.signal('SIGTERM')
    assert.equal(await second.exited, 0)
  } finally {
    await dataDir.remove()
  }
})

test('requests that were accepted are answered while it drains', async () => {
  const dataDir = await temporaryDataDir()
  try {
    const shop = await startShop(dataDir.path)
    const buyer = await clientOf(shop)
    const user = (await buyer('POST', '/users', { email: 'drain@example.com', name: 'Drain' })).body.id
    const product = (await buyer('GET', '/products')).body.products as { sku: string }[]
    const order = { userId: user, lines: [{ sku: product[0]?.sku, quantity: 1 }], cardToken: 'tok_visa' }
    assert.equal((await buyer('POST', '/orders', order)).status, 202)
    const answers = Array.from({ length: 100 }, () =>
      buyer('POST', '/orders', order).catch((error: unknown) => ({ error })),
    )
    await Promise.race(answers)
    shop.signal('SIGINT', 'group')
    const settled = await Promise.all(answers)
    assert.equal(await shop.exited, 0)
    const accepted = settled.filter((answer) => 'status' in answer && answer.status === 202).length
    const torn = settled.filter((answer) => 'status' in answer && answer.status >= 500).length
    assert.ok(accepted > 0)
    assert.equal(torn, 0, 'no request was accepted and then failed')

    const next = await startShop(dataDir.path)
    const urls = await databaseUrlsOf(dataDir.path)
    await until(async () => (await unfinished(urls)) === 0, { timeoutMs: 60_000, what: 'every accepted order final' })
    const rows = await askEveryShard<{ count: string }>(urls, 'SELECT count(*) FROM orders.orders')
    assert.ok(rows.flat().reduce((sum, row) => sum + Number(row.count), 0) >= accepted + 1)
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
    assert.match(second.stderr, new RegExp(`DATA_DIR_LOCKED.*${owner.child.pid}`))
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
    assert.match(result.stderr, new RegExp(`RUNTIME_PORT_BUSY.*${port}.*ADMIN_PORT`))
    assert.doesNotMatch(result.stderr, /\n\s+at /)
  } finally {
    holder.close()
    await dataDir.remove()
  }
})

async function unfinished(urls: readonly string[]): Promise<number> {
  const rows = await askEveryShard<{ count: string }>(
    urls,
    `SELECT count(*) FROM orders.orders WHERE status NOT IN ('shipped', 'rejected')`,
  )
  return rows.flat().reduce((sum, row) => sum + Number(row.count), 0)
}
