import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { createServer, request as httpRequest, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { GroundswellError, site } from '../core/index.ts'
import { SITE_BYTES_MAX } from './limits.ts'
import { createSiteServer } from './site-server.ts'

const HOME = '<!doctype html><link rel="stylesheet" href="assets/shop.css"><script src="./assets/app.js"></script>'
const STYLE = `/* ${'tide '.repeat(400)}*/\nbody { margin: 0 }\n`

const FILES: Readonly<Record<string, string>> = {
  'index.html': HOME,
  'product.html': '<!doctype html><title>Product</title>',
  'news/index.html': '<!doctype html><script src="../assets/app.js"></script><img src="assets/own.png">',
  '404.html':
    '<!doctype html><a href="./">Home</a><link href="assets/shop.css"><a href="/orders">x</a><a href="#top">y</a>',
  'assets/app.js': "import './deep/api.js'\n",
  'assets/deep/api.js': 'export {}\n',
  'assets/shop.css': STYLE,
  'assets/a name.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
  '.env': 'SECRET=1',
  '.git/config': 'secret',
}

let root: string
let server: Server
let key: string | undefined

before(async () => {
  root = await mkdtemp(join(tmpdir(), 'groundswell-site-'))
  await writeFile(join(root, 'outside.txt'), 'outside')
  await writeSite(join(root, 'site'), FILES)
  await symlink(join(root, 'outside.txt'), join(root, 'site', 'link.txt'))
  server = await serve(join(root, 'site'))
})

after(async () => {
  server.close()
  await rm(root, { recursive: true })
})

async function writeSite(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folders = new Set(Object.keys(files).map((path) => dirname(join(folder, path))))
  await Promise.all([...folders].map((path) => mkdir(path, { recursive: true })))
  await Promise.all(Object.entries(files).map(([path, text]) => writeFile(join(folder, path), text)))
}

function declaration(folder: string) {
  return site('storefront', {
    path: '/shop/',
    folder: pathToFileURL(`${folder}/`),
    consumer: 'storefront',
    redirectFrom: ['/'],
  })
}

async function serve(folder: string): Promise<Server> {
  const { dispatch } = await createSiteServer({ site: declaration(folder), publishableKey: () => key })
  const listening = createServer(dispatch)
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
  return listening
}

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly bytes: Buffer; text: string }

/** Sends the path as it is: fetch would resolve its dots. */
function ask(path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  const { port } = server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const bytes = Buffer.concat(chunks)
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, text: bytes.toString('utf8') })
      })
    })
    sent.on('error', reject).end()
  })
}

async function versionedStyle(): Promise<string> {
  const page = await ask('/shop/')
  return (
    /href="(assets\/[\w-]{16}\/shop\.css)"/.exec(page.text)?.[1] ?? assert.fail(`no versioned style in ${page.text}`)
  )
}

test('a page is revalidated each time, and names the version of its assets', async () => {
  const page = await ask('/shop/')
  assert.equal(page.status, 200)
  assert.equal(page.headers['content-type'], 'text/html; charset=utf-8')
  assert.equal(page.headers['cache-control'], 'no-cache')
  assert.equal(page.headers['content-length'], String(page.bytes.length))
  assert.match(String(page.headers['last-modified']), / GMT$/)
  assert.match(page.text, /href="assets\/([\w-]{16})\/shop\.css"><script src="\.\/assets\/\1\/app\.js"/)
  const news = await ask('/shop/news/')
  assert.match(news.text, /src="\.\.\/assets\/[\w-]{16}\/app\.js"><\/script><img src="assets\/own\.png">/)
})

test('a versioned asset is kept for a year, the same under its plain name is not', async () => {
  const path = await versionedStyle()
  const asset = await ask(`/shop/${path}`)
  assert.equal(asset.text, STYLE)
  assert.equal(asset.headers['cache-control'], 'public, max-age=31536000, immutable')
  assert.equal(asset.headers['content-type'], 'text/css; charset=utf-8')
  // A script imports others by relative names: they are below the version too.
  const script = await ask(`/shop/${path.replace('shop.css', 'deep/api.js')}`)
  assert.match(String(script.headers['cache-control']), /immutable/)
  assert.equal((await ask('/shop/assets/shop.css')).headers['cache-control'], 'no-cache')
})

test('the version of another release gets what there is, and nobody keeps it', async () => {
  const asset = await ask('/shop/assets/0123456789abcdef/shop.css')
  assert.equal(asset.text, STYLE)
  assert.equal(asset.headers['cache-control'], 'no-cache')
})

test('one byte of one asset changes the version of all', async () => {
  const changed = join(root, 'changed')
  await writeSite(changed, { ...FILES, 'assets/deep/api.js': 'export {};\n' })
  const first = await versionedStyle()
  const before = server
  server = await serve(changed)
  const second = await versionedStyle()
  server.close()
  server = before
  assert.notEqual(first, second)
})

test('a client that has the file gets a 304 without a body', async () => {
  const { headers } = await ask('/shop/')
  const etag = String(headers.etag)
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const answer = await ask('/shop/', { 'if-none-match': known })
    assert.deepEqual([answer.status, answer.text], [304, ''], known)
    assert.equal(answer.headers.etag, etag)
    assert.equal(answer.headers['cache-control'], 'no-cache')
  }
  const lastModified = String(headers['last-modified'])
  assert.equal((await ask('/shop/', { 'if-modified-since': lastModified })).status, 304)
  // A tag that differs decides, whatever the date says.
  assert.equal((await ask('/shop/', { 'if-modified-since': lastModified, 'if-none-match': '"x"' })).status, 200)
  assert.equal((await ask('/shop/', { 'if-modified-since': 'yesterday' })).status, 200)
})

test('text is compressed as the client accepts it, each coding with a validator of its own', async () => {
  const path = `/shop/${await versionedStyle()}`
  const etags = new Set<unknown>()
  for (const [accepted, coding, decode] of [
    ['gzip, deflate, br', 'br', brotliDecompressSync],
    ['gzip', 'gzip', gunzipSync],
    ['br;q=0.5, gzip;q=0.9', 'gzip', gunzipSync],
    ['br;q=0, *', 'gzip', gunzipSync],
    ['identity', undefined, (bytes: Buffer) => bytes],
    ['zstd', undefined, (bytes: Buffer) => bytes],
  ] as const) {
    const answer = await ask(path, { 'accept-encoding': accepted })
    assert.equal(answer.headers['content-encoding'], coding, accepted)
    assert.equal(decode(answer.bytes).toString('utf8'), STYLE, accepted)
    assert.equal(answer.headers.vary, 'Accept-Encoding')
    etags.add(answer.headers.etag)
    const again = await ask(path, { 'accept-encoding': accepted, 'if-none-match': String(answer.headers.etag) })
    assert.equal(again.status, 304, accepted)
  }
  assert.equal(etags.size, 3)
})

test('HEAD answers what GET would, without the body', async () => {
  for (const path of ['/shop/', '/shop/nothing', '/', '/shop/config.json']) {
    const [head, get] = [await ask(path, {}, 'HEAD'), await ask(path)]
    assert.deepEqual([head.status, head.text], [get.status, ''], path)
    assert.deepEqual({ ...head.headers, date: '' }, { ...get.headers, date: '' }, path)
  }
})

test('a site is only read', async () => {
  const answer = await ask('/shop/', {}, 'POST')
  assert.equal(answer.status, 405)
  assert.equal(answer.headers.allow, 'GET, HEAD')
})

test('pages have names without their ending, and the slash at the end of a folder is added', async () => {
  assert.match((await ask('/shop/product?sku=poncho')).text, /Product/)
  assert.match((await ask('/shop/product.html')).text, /Product/)
  for (const [from, to] of [
    ['/', '/shop/'],
    ['/shop?from=mail', '/shop/?from=mail'],
    ['/shop/news', '/shop/news/'],
  ] as const) {
    const answer = await ask(from)
    assert.deepEqual([answer.status, answer.headers.location], [302, to])
  }
  assert.equal((await ask('/shop/assets/a%20name.svg')).headers['content-type'], 'image/svg+xml; charset=utf-8')
})

test('nothing outside the folder, nothing hidden and no link is served', async () => {
  for (const path of [
    '/shop/../outside.txt',
    '/shop/..%2foutside.txt',
    '/shop/%2e%2e/outside.txt',
    '/shop/assets/../../outside.txt',
    '/shop/..\\outside.txt',
    `/shop/${root}/outside.txt`,
    '/shop//etc/passwd',
    '/shop/.env',
    '/shop/%2eenv',
    '/shop/.git/config',
    '/shop/link.txt',
    '/shop/index.html%00',
    '/shop/%zz',
    '/outside.txt',
    '/shopping/',
    '/shop/constructor',
  ]) {
    const answer = await ask(path)
    assert.deepEqual([answer.status, answer.text], [404, 'not found\n'], path)
  }
})

test('a browser that is lost gets the site’s own page, whose links work from anywhere', async () => {
  const answer = await ask('/shop/a/b/c', { accept: 'text/html,*/*;q=0.8' })
  assert.equal(answer.status, 404)
  assert.equal(answer.headers['content-type'], 'text/html; charset=utf-8')
  assert.match(answer.text, /href="\/shop\/">Home<\/a><link href="\/shop\/assets\/[\w-]{16}\/shop\.css">/)
  assert.match(answer.text, /href="\/orders">x<\/a><a href="#top"/)
})

test('every answer carries the security headers', async () => {
  for (const path of ['/shop/', '/shop/assets/shop.css', '/shop/nothing', '/', '/shop/config.json']) {
    const { headers } = await ask(path)
    assert.match(String(headers['content-security-policy']), /^default-src 'self';.*frame-ancestors 'none'$/, path)
    assert.doesNotMatch(String(headers['content-security-policy']), /unsafe/)
    assert.equal(headers['x-content-type-options'], 'nosniff', path)
    assert.equal(headers['referrer-policy'], 'same-origin', path)
  }
})

test('the pages find the publishable key of the moment, and without one a problem', async () => {
  key = 'first'
  const first = await ask('/shop/config.json')
  assert.deepEqual([JSON.parse(first.text), first.headers['cache-control']], [{ apiKey: 'first' }, 'no-cache'])
  assert.equal(first.headers['last-modified'], undefined)
  key = 'second'
  const second = await ask('/shop/config.json', { 'if-none-match': String(first.headers.etag) })
  assert.deepEqual(JSON.parse(second.text), { apiKey: 'second' })
  key = undefined
  const missing = await ask('/shop/config.json')
  assert.equal(missing.status, 503)
  assert.equal(JSON.parse(missing.text).code, 'SITES_KEY_MISSING')
})

test('a folder that is missing or too large is refused at the start', async () => {
  const refusal = async (folder: string) => {
    const error = await createSiteServer({ site: declaration(folder), publishableKey: () => key }).catch(
      (reason: unknown) => reason,
    )
    assert.ok(error instanceof GroundswellError)
    return error.code
  }
  assert.equal(await refusal(join(root, 'nowhere')), 'SITES_FOLDER_UNREADABLE')
  await writeSite(join(root, 'large'), { 'film.mp4': '' })
  await truncate(join(root, 'large', 'film.mp4'), SITE_BYTES_MAX + 1)
  assert.equal(await refusal(join(root, 'large')), 'SITES_FOLDER_TOO_LARGE')
})

test('a file in the place of the key is refused at the start', async () => {
  const folder = join(root, 'keyed')
  await writeSite(folder, { 'config.json': '{}' })
  await assert.rejects(createSiteServer({ site: declaration(folder), publishableKey: () => key }), /remove the file/)
})
