import assert from 'node:assert/strict'
import { connect } from 'node:http2'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { freePort, until } from '../../testing/index.ts'
import { startTarget } from '../balancer/target-fixture.ts'
import { createCatalog } from '../config/catalog.ts'
import { addRoute, ask, askByTls, ConfigFixture, startGateway } from '../gateway-fixture.ts'
import type { PluginDefinition } from './plugin.ts'

type Try = { readonly balancer_start: number; readonly balancer_latency: number; readonly [name: string]: unknown }

/** What the tests read of an entry. */
type Entry = {
  readonly tries: readonly Try[]
  readonly request: {
    readonly url: string
    readonly querystring: Readonly<Record<string, unknown>>
    readonly headers: Readonly<Record<string, string>>
  }
}

/** A gateway in front of a service at `host:port`, and the entries of its requests, in order. */
async function logged(context: TestContext, place: string, service: Record<string, unknown> = {}) {
  const entries: Entry[] = []
  const { port: logPort } = await startTarget(context, async (request, response) => {
    entries.push(JSON.parse(await text(request)))
    response.end()
  })
  const config = new ConfigFixture()
  const [host, port] = place.split(':')
  addRoute(config, { paths: ['/'] }, { host, port: Number(port), ...service })
  config.add('plugins', { name: 'http-log', config: { http_endpoint: `http://127.0.0.1:${logPort}/` } })
  const running = await startGateway(context, { config })
  const next = async () => {
    await until(() => entries.length > 0, { what: 'the entry' })
    return entries.shift() as Entry
  }
  return { config, ...running, next }
}

const answering = (context: TestContext) => startTarget(context, (_request, response) => void response.end('fine'))

test('the url of an entry is the client’s: its host, and the port and scheme that it came by', async (context) => {
  const { place } = await answering(context)
  const { port, tlsPort, next } = await logged(context, place)
  await ask(port, '/a?b', { headers: { host: 'Shop.example:81', 'x-forwarded-host': 'claimed' } })
  assert.equal((await next()).request.url, `http://shop.example:${port}/a?b`)
  await askByTls(tlsPort, '/a')
  assert.equal((await next()).request.url, `https://127.0.0.1:${tlsPort}/a`)
})

test('the Host header of an entry is the client’s, not the upstream’s', async (context) => {
  const { place } = await answering(context)
  const { port, next } = await logged(context, place)
  await ask(port, '/', { headers: { host: 'Shop.example:81' } })
  assert.equal((await next()).request.headers.host, 'Shop.example:81')
  const client = connect(`http://127.0.0.1:${port}`)
  context.after(() => client.destroy())
  await text(client.request({ ':path': '/', ':authority': 'shop.example' }))
  assert.equal((await next()).request.headers.host, 'shop.example')
})

test('repeated parameters are a list in an entry, and those without a value are true', async (context) => {
  const { place } = await answering(context)
  const { port, next } = await logged(context, place)
  await ask(port, '/?a=1&a=2&f')
  assert.deepEqual((await next()).request.querystring, { a: ['1', '2'], f: true })
})

/** Without the times, which are there. */
function timeless({ tries }: Entry): readonly Record<string, unknown>[] {
  return tries.map(({ balancer_start, balancer_latency, ...rest }) => {
    assert.ok(Number.isInteger(balancer_start) && balancer_start > 1_700_000_000_000 && balancer_latency >= 0)
    return rest
  })
}

test('an entry has one try for each attempt, and how those failed', async (context) => {
  const { port: upstreamPort, place } = await answering(context)
  const { port, next, config } = await logged(context, place)
  await ask(port, '/')
  assert.deepEqual(timeless(await next()), [{ ip: '127.0.0.1', port: upstreamPort }])
  const refusedPort = await freePort()
  const { id } = config.add('upstreams', { name: 'places', algorithm: 'consistent-hashing', hash_on: 'path' })
  config.add('targets', { target: `127.0.0.1:${refusedPort}`, upstream: { id } })
  addRoute(config, { paths: ['/places'] }, { host: 'places', retries: 1 })
  await ask(port, '/places')
  const refused = { ip: '127.0.0.1', port: refusedPort, state: 'failed', code: 502 }
  assert.deepEqual(timeless(await next()), [refused, refused])
  config.add('targets', { target: place, upstream: { id } })
  const both = async (number: number) => {
    await ask(port, `/places/${number}`)
    return timeless(await next())
  }
  let tries: readonly Record<string, unknown>[] = []
  for (let number = 0; number < 100 && tries.length < 2; number++) tries = await both(number)
  assert.deepEqual(tries, [refused, { ip: '127.0.0.1', port: upstreamPort }])
})

test('a try at a service by name has the address that answered, and one that was too slow says so', async (context) => {
  const { place } = await startTarget(context, (request, response) => {
    if (request.url !== '/slow') response.end()
  })
  const { port, next } = await logged(context, place.replace('127.0.0.1', 'localhost'), { read_timeout: 100 })
  await ask(port, '/')
  assert.equal(timeless(await next())[0]?.ip, '127.0.0.1')
  await ask(port, '/slow')
  assert.deepEqual(
    timeless(await next()).map(({ state, code }) => [state, code]),
    [['failed', 504]],
  )
})

test('a request that goes to no service has no try', async (context) => {
  const { place } = await answering(context)
  const { port, next, config } = await logged(context, place)
  config.add('routes', { paths: ['/none'] })
  await ask(port, '/none')
  assert.deepEqual((await next()).tries, [])
})

test('attempts are not kept where no plugin tells of them', async (context) => {
  const kept: unknown[] = []
  const watching: PluginDefinition = {
    name: 'watching',
    version: '1.0.0',
    priority: 1,
    schema: { name: 'watching', fields: [{ config: { type: 'record', required: true, fields: [] } }] },
    create: () => ({ log: ({ attempts, status }) => void kept.push(status, attempts) }),
  }
  const config = new ConfigFixture(createCatalog([watching]))
  const { port: upstreamPort } = await answering(context)
  addRoute(config, { paths: ['/'] }, { host: '127.0.0.1', port: upstreamPort })
  config.add('plugins', { name: 'watching' })
  const { port } = await startGateway(context, { config, plugins: [watching] })
  await ask(port, '/')
  await until(() => kept.length > 0, { what: 'the end of the request' })
  assert.deepEqual(kept, [200, undefined])
})
