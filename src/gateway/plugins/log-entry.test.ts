import assert from 'node:assert/strict'
import { connect } from 'node:http2'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { startTarget } from '../balancer/target-fixture.ts'
import { addRoute, ask, askByTls, ConfigFixture, startGateway } from '../gateway-fixture.ts'

/** What the tests read of an entry. */
type Entry = {
  readonly request: {
    readonly url: string
    readonly querystring: Readonly<Record<string, unknown>>
    readonly headers: Readonly<Record<string, string>>
  }
}

/** A gateway in front of a service at `host:port`, and the entries of its requests, in order. */
async function logged(context: TestContext, place: string) {
  const entries: Entry[] = []
  const { port: logPort } = await startTarget(context, async (request, response) => {
    entries.push(JSON.parse(await text(request)))
    response.end()
  })
  const config = new ConfigFixture()
  const [host, port] = place.split(':')
  addRoute(config, { paths: ['/'] }, { host, port: Number(port) })
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
