import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { redisMissing, startRedisServer, until } from '../../testing/index.ts'
import { type Ask, ask, StandingClock } from '../gateway-fixture.ts'
import { MemoryResponseStore, ResponseMemory } from '../response-cache/stores/memory.ts'
import { redisSettings } from '../stores/redis-settings-fixture.ts'
import { type Handler, pluggedIn } from './plugged-in-fixture.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

/** A gateway that caches what a service answers: a number that grows with every request. */
async function cached(
  context: TestContext,
  config: Record<string, unknown> = {},
  { headers = JSON_TYPE as Record<string, string>, status = 200, others = [] as Parameters<typeof pluggedIn>[1] } = {},
) {
  const clock = new StandingClock('2025-03-15T10:00:00Z')
  let count = 0
  const handler: Handler = (_request, response) => response.writeHead(status, headers).end(String(++count))
  const plugins = [{ name: 'proxy-cache', config: { strategy: 'memory', ...config } }, ...others]
  const gateway = await pluggedIn(context, plugins, { handler, clock })
  const get = async (path = '/', sent: Ask = {}) => {
    const answer = await ask(gateway.port, path, sent)
    return { ...answer, seen: [answer.headers['x-cache-status'], answer.body] }
  }
  return { ...gateway, clock, get }
}

test('a response is answered once more from memory, with its age, and fetched anew when it is no longer fresh', async (context) => {
  const { get, clock, seen } = await cached(context)
  const first = await get()
  assert.deepEqual([first.seen, first.headers.age], [['Miss', '1'], undefined])
  assert.match(String(first.headers['x-cache-key']), /^[0-9a-f]{64}$/)
  clock.moveTo('2025-03-15T10:04:59Z')
  const second = await get()
  assert.deepEqual([second.seen, second.status, second.headers.age], [['Hit', '1'], 200, '299'])
  assert.equal(second.headers['content-type'], 'application/json')
  assert.equal(second.headers['x-cache-key'], first.headers['x-cache-key'])
  assert.notEqual(second.headers['x-kong-request-id'], first.headers['x-kong-request-id'])
  clock.moveTo('2025-03-15T10:05:00Z')
  assert.deepEqual((await get()).seen, ['Refresh', '2'])
  assert.deepEqual((await get()).seen, ['Hit', '2'])
  assert.equal(seen.length, 2)
})

test('what differs in method, path or query is another response, the order of the query is not', async (context) => {
  const { get } = await cached(context)
  assert.deepEqual((await get('/a?x=1&y=2')).seen, ['Miss', '1'])
  assert.deepEqual((await get('/a?y=2&x=1')).seen, ['Hit', '1'])
  assert.deepEqual((await get('/a?x=2')).seen, ['Miss', '2'])
  assert.deepEqual((await get('/A?x=2')).seen, ['Miss', '3'])
  assert.equal((await get('/a?x=2', { method: 'HEAD' })).headers['x-cache-status'], 'Miss')
  assert.deepEqual((await get('/a?x=2', { method: 'POST' })).seen, ['Bypass', '5'])
})

test('only what the configuration names is stored', async (context) => {
  const cases: NonNullable<Parameters<typeof cached>[2]>[] = [
    { status: 500 },
    { headers: { 'content-type': 'application/json; charset=utf-8' } },
    { headers: { 'content-type': 'text/html' } },
    { headers: { ...JSON_TYPE, 'set-cookie': 'session=1' } },
    { headers: { ...JSON_TYPE, vary: 'Accept-Language' } },
  ]
  for (const answer of cases) {
    const { get } = await cached(context, {}, answer)
    assert.deepEqual((await get()).seen, ['Bypass', '1'], JSON.stringify(answer))
    assert.deepEqual((await get()).seen, ['Bypass', '2'], JSON.stringify(answer))
  }
})

test('types may have wildcards and parameters, and case and other parameters may not matter', async (context) => {
  const config = {
    content_type: ['application/*; charset=utf-8'],
    vary_query_params: ['id'],
    vary_headers: ['Accept-Language'],
    ignore_uri_case: true,
  }
  const headers = { 'content-type': 'application/json; charset=UTF-8', vary: 'accept-language' }
  const { get } = await cached(context, config, { headers })
  const asking = (language: string) => ({ headers: { 'accept-language': language } })
  assert.deepEqual((await get('/a?id=1&utm=x', asking('de'))).seen, ['Miss', '1'])
  assert.deepEqual((await get('/A?id=1&utm=y', asking('de'))).seen, ['Hit', '1'])
  assert.deepEqual((await get('/a?id=1', asking('fr'))).seen, ['Miss', '2'])
})

test('consumers do not see each other’s responses, and nobody those of an Authorization that nothing has checked', async (context) => {
  const { get, config } = await cached(context, {}, { others: [{ name: 'key-auth', config: { anonymous: 'nobody' } }] })
  for (const username of ['ann', 'bob', 'nobody']) {
    const consumer = { id: config.add('consumers', { username }).id }
    config.add('keyauth_credentials', { key: username, consumer })
  }
  const as = (apikey: string) => ({ headers: { apikey } })
  assert.deepEqual((await get('/', as('ann'))).seen, ['Miss', '1'])
  assert.deepEqual((await get('/', as('bob'))).seen, ['Miss', '2'])
  assert.deepEqual((await get('/', as('ann'))).seen, ['Hit', '1'])
  const open = await cached(context)
  assert.deepEqual((await open.get('/', { headers: { authorization: 'Basic YTpi' } })).seen, ['Bypass', '1'])
})

test('with cache_control the headers of both sides count', async (context) => {
  const headers = { ...JSON_TYPE, 'cache-control': 'max-age=60' }
  const { get, clock } = await cached(context, { cache_control: true, storage_ttl: 600 }, { headers })
  const asking = (value: string) => ({ headers: { 'cache-control': value } })
  assert.equal((await get('/', asking('only-if-cached'))).status, 504)
  assert.deepEqual((await get('/', asking('no-store'))).seen, ['Bypass', '1'])
  assert.deepEqual((await get()).seen, ['Miss', '2'])
  clock.moveTo('2025-03-15T10:00:30Z')
  assert.deepEqual((await get('/', asking('max-age=30'))).seen, ['Hit', '2'])
  assert.deepEqual((await get('/', asking('min-fresh=31'))).seen, ['Refresh', '3'])
  clock.moveTo('2025-03-15T10:01:40Z')
  assert.deepEqual((await get('/', asking('max-stale=20'))).seen, ['Hit', '3'])
  assert.deepEqual((await get()).seen, ['Refresh', '4'])
  for (const value of ['private, max-age=60', 'no-store', 'no-cache', 'max-age=0', '']) {
    const never = await cached(context, { cache_control: true }, { headers: { ...JSON_TYPE, 'cache-control': value } })
    assert.deepEqual((await never.get()).seen, ['Bypass', '1'], value)
  }
})

test('the headers about the cache can be left out', async (context) => {
  const response_headers = { age: false, 'X-Cache-Status': false, 'X-Cache-Key': false }
  const { get } = await cached(context, { response_headers })
  await get()
  const { headers, body } = await get()
  assert.deepEqual(
    [body, headers.age, headers['x-cache-status'], headers['x-cache-key']],
    ['1', undefined, undefined, undefined],
  )
})

test('the service’s own response is stored: what other plugins make of it is made anew', async (context) => {
  const others = [
    { name: 'response-transformer', config: { add: { json: ['b:2'] }, append: { headers: ['X-Added:1'] } } },
    { name: 'rate-limiting', config: { year: 10 } },
  ]
  const { port } = await pluggedIn(context, [{ name: 'proxy-cache', config: { strategy: 'memory' } }, ...others], {
    handler: (_request, response) => response.writeHead(200, JSON_TYPE).end('{"a":1}'),
  })
  const answers = [await ask(port, '/'), await ask(port, '/')]
  const shown = answers.map(({ body, headers }) => [body, headers['x-added'], headers['x-ratelimit-remaining-year']])
  assert.deepEqual(shown, [
    ['{"a":1,"b":"2"}', '1', '9'],
    ['{"a":1,"b":"2"}', '1', '8'],
  ])
  assert.equal(answers[1]?.headers['x-cache-status'], 'Hit')
})

test('a response that breaks off is not stored, and one that is large passes unstored', async (context) => {
  let count = 0
  const { port } = await pluggedIn(context, [{ name: 'proxy-cache', config: { strategy: 'memory' } }], {
    handler(request, response) {
      count += 1
      response.writeHead(200, JSON_TYPE)
      if (request.url === '/large') response.end('x'.repeat(2_000_000))
      else if (count > 1) response.end('whole')
      else response.write('half', () => response.destroy())
    },
  })
  await assert.rejects(ask(port, '/'))
  assert.deepEqual((await ask(port, '/')).headers['x-cache-status'], 'Miss')
  assert.deepEqual((await ask(port, '/')).body, 'whole')
  assert.equal((await ask(port, '/large')).body.length, 2_000_000)
  assert.equal((await ask(port, '/large')).headers['x-cache-status'], 'Miss')
})

test('the memory is bounded, and the least recently used makes room', () => {
  const store = new MemoryResponseStore(new ResponseMemory(10_000), 'plugin', { removals: 0 })
  const response = { status: 200, headers: [], body: Buffer.alloc(4_000), storedAtMs: 0, freshMs: 1_000 }
  for (const key of ['a', 'b', 'c']) store.keep(key, response, { keptMs: 60_000, epoch: '0' })
  assert.deepEqual(
    ['a', 'b', 'c'].map((key) => store.find(key).response !== undefined),
    [false, true, true],
  )
})

test('with the strategy redis gateways answer with each other’s responses, and go on without it', {
  skip: redisMissing(),
}, async (context) => {
  const redis = await startRedisServer()
  context.after(() => redis.stop())
  const { host, port } = redisSettings(redis.url)
  const config = { strategy: 'redis', redis: { host, port, timeout: 60_000 } }
  const asShop = { headers: { host: 'shop.example' } }
  const first = await cached(context, config)
  assert.deepEqual((await first.get('/', asShop)).seen, ['Miss', '1'])
  await until(async () => (await first.get('/', asShop)).seen[0] === 'Hit', { what: 'the response is stored' })
  const twin = await cached(context, config)
  twin.config.replace(first.config.snapshot())
  assert.deepEqual((await twin.get('/', asShop)).seen, ['Hit', (await first.get('/', asShop)).body])
  await redis.kill()
  assert.equal((await first.get('/', asShop)).headers['x-cache-status'], 'Bypass')
})
