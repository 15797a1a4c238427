import assert from 'node:assert/strict'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { app, endpoints, event, type ServiceDeclaration } from '../core/index.ts'
import { until } from '../testing/index.ts'
import { type Console, createConsole } from './console.ts'
import { STALLED_FRAMES_MAX } from './limits.ts'
import { createFixtureView } from './telemetry-fixture.ts'

const STARTED_AT_MS = 1_700_000_000_000
const SECONDS = 120

const at = endpoints('order-service')
const placed = event('order.placed', 1, { parse: (value: unknown) => value } as never, { key: () => 1 })
const nothing = { placement: 'sharded', routes: [], consumers: [], consoleRoutes: [], emits: [] } as const
const handler = async () => undefined
const orders: ServiceDeclaration = {
  ...nothing,
  name: 'order-service',
  routes: [{ endpoint: at.post('/orders', { replies: { 202: null }, access: 'key', summary: 'Place' }), handler }],
  consoleRoutes: [{ endpoint: at.get('/mailbox', { replies: { 200: null } }), handler }],
  emits: [placed],
}
const mail: ServiceDeclaration = {
  ...nothing,
  name: 'email-service',
  consumers: [{ event: placed, target: 'key', batch: false, apply: async () => {} }],
}
const shop = app('shop', { services: [orders, mail], gateway: { consumers: ['storefront'] } })

let folder = ''
let open: Console
let origin = ''
const view = createFixtureView({ startedAtMs: STARTED_AT_MS, seconds: SECONDS })
const lastAtMs = STARTED_AT_MS + SECONDS * 1000

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'groundswell-console-'))
  await mkdir(join(folder, 'dist/assets'), { recursive: true })
  await writeFile(join(folder, 'secret.js'), 'not for anybody')
  await writeFile(join(folder, 'dist/index.html'), '<!doctype html><title>console</title>')
  await writeFile(join(folder, 'dist/assets/index-Bx1.js'), 'start()'.repeat(500))
  open = await createConsole({
    app: shop,
    view,
    shards: [{ index: 0, label: 'shard_0' }],
    pages: (request, response) => response.writeHead(request.url === '/mailbox' ? 200 : 404).end('of a service'),
    folder: join(folder, 'dist'),
    clock: { now: () => lastAtMs },
  })
  origin = `http://127.0.0.1:${(await open.listen({ host: '127.0.0.1', port: 0 })).port}`
})

after(async () => {
  await open.close({ deadlineAtMs: 0 })
  await rm(folder, { recursive: true })
})

const get = async (path: string, headers: Record<string, string> = {}) => {
  const response = await fetch(origin + path, { headers, redirect: 'manual' })
  const text = await response.text()
  const isJson = /json/.test(response.headers.get('content-type') ?? '')
  return { status: response.status, headers: response.headers, text, body: isJson ? JSON.parse(text) : undefined }
}

test('the topology is the application’s value: services, routes, events with writer and groups, shards, pages', async () => {
  const { body } = await get('/api/topology')
  assert.equal(body.app, 'shop')
  assert.deepEqual(body.services[0].routes, [
    { method: 'POST', path: '/orders', summary: 'Place', access: 'any key', exposed: true },
  ])
  assert.deepEqual(body.events, [
    { topic: 'order.placed', version: 1, writer: 'order-service', groups: ['email-service'] },
  ])
  assert.deepEqual(body.gateway, { consumers: ['storefront'] })
  assert.deepEqual(body.shards, [{ index: 0, label: 'shard_0' }])
  assert.deepEqual(body.pages, [{ service: 'order-service', path: '/mailbox' }])
})

test('frames are those since the given time, packed for whoever reads that', async () => {
  const since = lastAtMs - 9_000
  const { body, headers } = await get(`/api/frames?since=${since}`, { 'accept-encoding': 'gzip' })
  assert.deepEqual(
    body.frames.map((frame: { atMs: number }) => frame.atMs),
    Array.from({ length: 10 }, (_, index) => since + index * 1000),
  )
  assert.equal(headers.get('content-encoding'), 'gzip')
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.equal((await get('/api/frames')).body.frames.length, SECONDS, 'without a time: the last half hour')
})

test('traces, one trace, alerts and the verdict are what telemetry says', async () => {
  const { traces } = (await get('/api/traces?limit=3')).body
  assert.deepEqual(traces, view.traces(3))
  const traceId = view.traces(1)[0]?.traceId ?? ''
  const { spans } = (await get(`/api/traces/${traceId}`)).body
  assert.deepEqual(spans, JSON.parse(JSON.stringify(view.trace(traceId))))
  const { alerts, verdict } = (await get('/api/alerts')).body
  assert.deepEqual([alerts[0].subject, alerts[0].state], ['POST /orders', 'firing'])
  assert.deepEqual((await get('/api/verdict')).body, verdict)
})

test('what is wrong with a request is said with a code', async () => {
  const code = async (path: string) => {
    const { status, body } = await get(path)
    return `${status} ${body.code}`
  }
  assert.equal(await code('/api/frames?since=yesterday'), '400 CONSOLE_QUERY_INVALID')
  assert.equal(await code('/api/traces?limit=9999999'), '400 CONSOLE_QUERY_INVALID')
  assert.equal(await code('/api/stream?since=-1'), '400 CONSOLE_QUERY_INVALID')
  assert.equal(await code('/api/traces/abc'), '404 CONSOLE_TRACE_UNKNOWN')
  assert.equal(await code('/api/nothing'), '404 CONSOLE_PATH_UNKNOWN')
  const posted = await fetch(`${origin}/api/alerts`, { method: 'POST' })
  assert.equal(posted.status, 405)
  assert.equal(posted.headers.get('allow'), 'GET, HEAD')
})

test('hashed files may be kept for ever, the page that names them not at all, and scripts come from here only', async () => {
  const page = await get('/')
  assert.match(page.text, /<title>console/)
  assert.equal(page.headers.get('cache-control'), 'no-cache')
  assert.match(page.headers.get('content-security-policy') ?? '', /default-src 'none'; script-src 'self';/)
  assert.equal(page.headers.get('x-content-type-options'), 'nosniff')
  const script = await get('/assets/index-Bx1.js')
  assert.equal(script.headers.get('cache-control'), 'public, max-age=31536000, immutable')
  assert.equal(script.headers.get('content-type'), 'text/javascript; charset=utf-8')
  assert.equal(Number(script.headers.get('content-length')), gzipSync('start()'.repeat(500)).length)
  assert.equal((await get('/', { 'if-none-match': page.headers.get('etag') ?? '' })).status, 304)
})

test('no path leads out of the folder of the built console', async () => {
  const paths = ['/../secret.js', '/assets/../../secret.js', '/%2e%2e/secret.js', '/..%2fsecret.js', '//secret.js']
  for (const path of paths) {
    const answer = await rawGet(path)
    assert.match(answer, /^HTTP\/1\.1 404 /, path)
    assert.doesNotMatch(answer, /not for anybody/, path)
  }
})

test('pages of services answer on the same port, and a page that came by another name is refused', async () => {
  assert.deepEqual([(await get('/mailbox')).status, (await get('/mailbox')).text], [200, 'of a service'])
  for (const path of ['/', '/mailbox', '/api/frames']) {
    assert.match(await rawGet(path, 'evil.example'), /^HTTP\/1\.1 403 .*CONSOLE_HOST_REFUSED/s, path)
  }
  assert.match(await rawGet('/readyz', '10.0.0.7'), /^HTTP\/1\.1 404 /, 'health is asked by any name')
})

test('until the console is built its address says how to build it, and then shows it without a new start', async () => {
  const unbuilt = join(folder, 'later')
  const parts = { app: shop, view, shards: [], pages: () => {}, folder: unbuilt }
  const later = await createConsole(parts)
  const { port } = await later.listen({ host: '127.0.0.1', port: 0 })
  const before = await fetch(`http://127.0.0.1:${port}/`)
  assert.equal(before.status, 503)
  assert.match(await before.text(), /npm run build:console/)
  await mkdir(unbuilt)
  await writeFile(join(unbuilt, 'index.html'), 'built')
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'built')
  await later.close({ deadlineAtMs: 0 })
})

test('the stream sends a frame each second with its time as id, and fills in what a browser missed', async () => {
  const first = await follow('/api/stream')
  await until(() => first.text().includes('event: state'), { what: 'the state at once' })
  assert.match(first.text(), /^retry: \d+\n\n/)
  const frame = view.tick()
  await until(() => first.text().includes(`id: ${frame.atMs}\nevent: frame\n`), { what: 'the new frame' })
  first.end()
  const missed = [view.tick(), view.tick()]
  const again = await follow('/api/stream?since=0', { 'last-event-id': String(frame.atMs) })
  await until(() => idsOf(again.text()).length >= 2, { what: 'the frames missed' })
  const next = view.tick()
  await until(() => idsOf(again.text()).length >= 3, { what: 'the next frame' })
  assert.deepEqual(
    idsOf(again.text()),
    [...missed, next].map(({ atMs }) => atMs),
  )
  again.end()
})

test('a browser that does not read is cut off, and the others are not held up', async () => {
  const { port } = new URL(origin)
  const deaf = connect({ host: '127.0.0.1', port: Number(port) })
  const cut = new Promise<void>((resolve) => deaf.on('close', () => resolve()))
  deaf.on('error', () => deaf.destroy())
  // Asks for all that there is, which no socket buffer holds, and reads none of it.
  deaf.pause()
  for (let index = 0; index < 2_000; index++) view.tick()
  deaf.write(`GET /api/stream?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n`)
  const reader = await follow('/api/stream')
  await until(() => reader.text().includes('event: state'), { what: 'a browser that reads' })
  let ticks = 0
  await until(
    () => {
      const frame = view.tick()
      ticks += 1
      return ticks > STALLED_FRAMES_MAX && idsOf(reader.text()).includes(frame.atMs - 2_000)
    },
    { what: 'frames for the browser that reads' },
  )
  deaf.resume()
  await cut
  reader.end()
})

test('when it closes streams end', async () => {
  const parts = { app: shop, view, shards: [], pages: () => {}, folder }
  const closing = await createConsole(parts)
  const { port } = await closing.listen({ host: '127.0.0.1', port: 0 })
  const response = await fetch(`http://127.0.0.1:${port}/api/stream`)
  await closing.close({ deadlineAtMs: Date.now() + 5_000 })
  assert.match(await response.text(), /event: state/)
  await closing.close({ deadlineAtMs: 0 })
})

function idsOf(text: string): readonly number[] {
  return [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))
}

/** A request whose path and host are sent as they are, which `fetch` would set right. */
function rawGet(path: string, host = 'localhost'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(new URL(origin).port) })
    let text = ''
    socket.on('data', (chunk) => (text += chunk))
    socket.on('close', () => resolve(text))
    socket.on('error', reject)
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`)
  })
}

/** An open stream, with what came so far. */
async function follow(path: string, headers: Record<string, string> = {}) {
  const abort = new AbortController()
  const response = await fetch(origin + path, { headers, signal: abort.signal })
  const decoder = new TextDecoder()
  let text = ''
  const read = async () => {
    for await (const chunk of response.body ?? []) text += decoder.decode(chunk as Uint8Array, { stream: true })
  }
  const done = read().catch((error: unknown) => {
    if (!abort.signal.aborted) throw error
  })
  return {
    text: () => text,
    end() {
      abort.abort()
      return done
    },
  }
}
