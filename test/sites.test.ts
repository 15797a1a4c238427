import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { after, before, test } from 'node:test'
import { keyOf, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'
import { startTestDatabases } from './test-databases.ts'

/** The storefront as a site behind the real gateway. How a site answers in detail is tested beside its files. */
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

const at = (path: string, init: RequestInit = {}) => fetch(`${shop.gateway}${path}`, { redirect: 'manual', ...init })

test('the start table says where the storefront is, and the root leads there', async () => {
  assert.match(shop.output(), new RegExp(`^storefront ${shop.gateway}/shop/$`, 'm'))
  for (const path of ['/', '/shop']) {
    const answer = await at(path)
    assert.deepEqual([answer.status, answer.headers.get('location')], [302, '/shop/'])
  }
})

test('pages are revalidated, their assets are kept for a year, and HEAD answers as GET', async () => {
  const page = await at('/shop/')
  assert.equal(page.status, 200)
  assert.equal(page.headers.get('cache-control'), 'no-cache')
  const html = await page.text()
  const etag = page.headers.get('etag') ?? ''
  const again = await at('/shop/', { headers: { 'if-none-match': etag } })
  assert.deepEqual([again.status, again.headers.get('etag'), await again.text()], [304, etag, ''])
  const assets = [...html.matchAll(/(?:src|href)="(assets\/[^"]+)"/g)].map((match) => match[1] ?? '')
  assert.ok(assets.length >= 4, html)
  for (const path of assets) {
    const asset = await at(`/shop/${path}`)
    assert.equal(asset.status, 200, path)
    assert.equal(asset.headers.get('cache-control'), 'public, max-age=31536000, immutable', path)
    assert.equal(asset.headers.get('x-content-type-options'), 'nosniff', path)
  }
  const head = await at('/shop/', { method: 'HEAD' })
  assert.deepEqual([head.status, await head.text()], [200, ''])
  assert.equal(head.headers.get('content-security-policy'), page.headers.get('content-security-policy'))
})

test('endpoints have priority over the site, and what neither has is not found by the gateway', async () => {
  const products = await at('/products', { headers: { accept: 'text/html' } })
  assert.match(products.headers.get('content-type') ?? '', /^application\/json/)
  assert.equal((await at('/orders', { method: 'POST' })).status, 401)
  assert.equal((await at('/shop/', { method: 'POST' })).status, 404)
  assert.equal((await at('/nothing')).status, 404)
})

test('no path leads out of the site', async () => {
  for (const path of [
    '/shop/../app.ts',
    '/shop/..%2fapp.ts',
    '/shop/%2e%2e/app.ts',
    '/shop/assets/..%2f..%2fapp.ts',
    '/shop/....//app.ts',
    '/shop//etc/passwd',
    '/shop/%2fetc%2fpasswd',
  ]) {
    const { status, text } = await rawGet(path)
    assert.equal(status, 404, path)
    assert.doesNotMatch(text, /export default|root:/, path)
  }
})

test('the storefront gets its own key and no other, and the one of the moment', async () => {
  const configured = async () => (await (await at('/shop/config.json')).json()) as { apiKey: string }
  const old = await keyOf(shop)
  assert.deepEqual(await configured(), { apiKey: old })
  assert.notEqual(old, await keyOf(shop, 'operator'))
  const keys = `${shop.admin}/consumers/storefront/key-auth`
  assert.equal((await fetch(`${keys}/${old}`, { method: 'DELETE' })).status, 204)
  assert.equal((await at('/shop/config.json')).status, 503)
  const added = (await (await fetch(keys, { method: 'POST' })).json()) as { key: string }
  assert.deepEqual(await configured(), { apiKey: added.key })
})

test('a policy of the gateway applies to the site as to any service', async () => {
  const added = await fetch(`${shop.admin}/services/storefront/plugins`, {
    method: 'POST',
    body: new URLSearchParams({ name: 'rate-limiting', 'config.year': '1', 'config.policy': 'local' }),
  })
  assert.equal(added.status, 201)
  assert.deepEqual([(await at('/shop/')).status, (await at('/shop/')).status], [200, 429])
  assert.equal((await at('/products')).status, 200)
  const { id } = (await added.json()) as { id: string }
  assert.equal((await fetch(`${shop.admin}/plugins/${id}`, { method: 'DELETE' })).status, 204)
  assert.equal((await at('/shop/')).status, 200)
})

test('a gateway that runs alone serves the site too', async () => {
  const databases = await startTestDatabases(1)
  const folder = await temporaryDataDir()
  try {
    const env = { DATABASE_URLS: databases.urls.join(',') }
    const gateway = await startShop(folder.path, { args: ['--only', 'gateway'], env })
    const page = await fetch(`${gateway.gateway}/shop/`)
    assert.match(await page.text(), /<title>Groundswell/)
    gateway.signal('SIGTERM')
    assert.equal(await gateway.exited, 0)
  } finally {
    await databases.stop()
    await folder.remove()
  }
})

/** Sends the path as it is: fetch would resolve its dots. */
function rawGet(path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(shop.gateway)
    const sent = httpRequest({ host: hostname, port, path, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    sent.on('error', reject).end()
  })
}
