import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { type RedisServer, redisMissing, startRedisServer, until } from '../src/testing/index.ts'
import { clientOf, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'
import { startTestDatabases } from './test-databases.ts'

/** What customers and operators see of the cache: the shop as two whole processes on one database, with a Redis. */

const skip = redisMissing()

describe('the shop with caches', { skip }, () => {
  let databases: Awaited<ReturnType<typeof startTestDatabases>>
  let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>
  let redis: RedisServer
  let first: ShopProcess
  let second: ShopProcess
  let operator: Awaited<ReturnType<typeof clientOf>>
  let elsewhere: Awaited<ReturnType<typeof clientOf>>

  before(async () => {
    databases = await startTestDatabases(1)
    dataDir = await temporaryDataDir()
    redis = await startRedisServer()
    const env = { DATABASE_URLS: databases.urls.join(','), CONNECTIONS_MAX: '16', CACHE_URL: redis.url }
    first = await startShop(dataDir.path, { env })
    second = await startShop(dataDir.path, { env })
    operator = await clientOf(first, 'operator')
    elsewhere = await clientOf(second)
  })

  after(async () => {
    for (const shop of [first, second]) shop?.signal('SIGTERM')
    await Promise.all([first?.exited, second?.exited])
    await redis?.stop()
    await databases?.stop()
    await dataDir?.remove()
  })

  const verdict = async () => {
    const answer = await fetch(`${first.console}/api/verdict`)
    return (await answer.json()) as { state: string; sentence: string }
  }
  const put = (priceCents: number, stock = 100) =>
    operator('PUT', '/products/kite', { name: 'Kite', priceCents, stock })

  test('whoever changes a price sees it at once, in the same process and with the token in every other', async () => {
    for (const priceCents of [500, 600, 700]) {
      const changed = await put(priceCents)
      assert.equal(changed.status, 200)
      assert.equal((await operator('GET', '/products/kite')).body.priceCents, priceCents)
      const cookie = changed.headers.getSetCookie().find((one) => one.startsWith('gs-rv=')) ?? ''
      assert.equal((await elsewhere('GET', '/products/kite', undefined, { cookie })).body.priceCents, priceCents)
      const version = { 'gs-rv': changed.headers.get('gs-rv') ?? '' }
      assert.equal((await elsewhere('GET', '/products/kite', undefined, version)).body.priceCents, priceCents)
      await until(async () => (await elsewhere('GET', '/products/kite')).body.priceCents === priceCents)
    }
  })

  test('a product that was looked for before it was there is found once it is', async () => {
    assert.equal((await operator('GET', '/products/sail')).status, 404)
    assert.equal((await operator('PUT', '/products/sail', { name: 'Sail', priceCents: 1, stock: 1 })).status, 200)
    assert.equal((await operator('GET', '/products/sail')).status, 200)
  })

  test('the stock beside cached details is what is left right now', async () => {
    await put(500, 10)
    assert.equal((await elsewhere('GET', '/products/kite')).body.stock, 10)
    const user = await elsewhere('POST', '/users', { email: 'cached@example.com', name: 'Cached' })
    const lines = [{ sku: 'kite', quantity: 3 }]
    const order = await elsewhere('POST', '/orders', { userId: user.body.id, lines, cardToken: 'tok_visa' })
    assert.equal(order.status, 202)
    await until(async () => (await elsewhere('GET', '/products/kite')).body.stock === 7)
  })

  test('with Redis gone the shop goes on and says so, and with Redis back it says that too', async () => {
    await redis.kill()
    await until(() => /goes on without redis/.test(first.output()), { what: 'the loss is in the log' })
    await until(async () => (await verdict()).state === 'degraded', { what: 'the console says so' })
    assert.match((await verdict()).sentence, /the cache goes on without redis/)
    await put(800)
    assert.equal((await operator('GET', '/products/kite')).body.priceCents, 800)
    await until(async () => (await elsewhere('GET', '/products/kite')).body.priceCents === 800)
    await redis.restart()
    await until(() => /is whole again, it has redis/.test(first.output()), { what: 'the return is in the log' })
    await until(async () => !/redis/.test((await verdict()).sentence), { what: 'the console no longer says so' })
    assert.equal((await elsewhere('GET', '/products/kite')).body.priceCents, 800)
  })
})
