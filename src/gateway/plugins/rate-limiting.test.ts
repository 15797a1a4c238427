import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Answer, addRoute, ask, ConfigFixture, StandingClock, startGateway } from '../gateway-fixture.ts'

/** A gateway in front of a service in this process that answers 200, its clock standing 17.5 s into a minute. */
async function limited(context: TestContext, ...limits: readonly Record<string, unknown>[]) {
  const config = new ConfigFixture()
  const { service, route } = addRoute(config, { paths: ['/'] })
  const added = limits.map(({ scope = {}, ...values }) =>
    config.add('plugins', { name: 'rate-limiting', config: values, ...(scope as object) }),
  )
  const clock = new StandingClock('2025-03-15T10:00:17.500Z')
  const dispatch = (_request: unknown, response: { end(text: string): void }) => response.end('fine')
  const { port } = await startGateway(context, { config, clock, resolve: () => ({ kind: 'local', dispatch }) })
  return { config, clock, port, service, route, plugins: added }
}

const headersNamed = (answer: Answer, pattern: RegExp) =>
  Object.fromEntries(Object.entries(answer.headers).filter(([name]) => pattern.test(name)))

const statuses = async (count: number, send: () => Promise<Answer>) => {
  const answers = await Promise.all(Array.from({ length: count }, send))
  return answers.map((answer) => answer.status).sort()
}

test('a hundred concurrent requests pass and every further one is refused', async (context) => {
  const { port } = await limited(context, { minute: 100, limit_by: 'ip' })
  const seen = await statuses(130, () => ask(port, '/'))
  assert.deepEqual(seen, [...Array(100).fill(200), ...Array(30).fill(429)])
})

test('remaining counts down without the request itself', async (context) => {
  const { port } = await limited(context, { minute: 6 })
  const remaining: unknown[] = []
  for (let index = 0; index < 7; index++) {
    const { status, headers } = await ask(port, '/')
    remaining.push([status, headers['x-ratelimit-remaining-minute'], headers['ratelimit-remaining']])
  }
  const passed = ['5', '4', '3', '2', '1', '0'].map((left) => [200, left, left])
  assert.deepEqual(remaining, [...passed, [429, '0', '0']])
})

test('a refusal has Kong’s body and headers', async (context) => {
  const { port } = await limited(context, { minute: 1 })
  await ask(port, '/')
  const refused = await ask(port, '/')
  assert.equal(refused.status, 429)
  const id = refused.headers['x-kong-request-id']
  assert.equal(refused.body, `{\n  "message":"API rate limit exceeded",\n  "request_id":"${id}"\n}`)
  assert.equal(refused.headers['content-type'], 'application/json; charset=utf-8')
  assert.deepEqual(headersNamed(refused, /ratelimit|retry/), {
    'x-ratelimit-limit-minute': '1',
    'x-ratelimit-remaining-minute': '0',
    'ratelimit-limit': '1',
    'ratelimit-remaining': '0',
    'ratelimit-reset': '43',
    'retry-after': '43',
  })
  const names = refused.rawHeaders.filter((_, index) => index % 2 === 0)
  for (const name of ['X-RateLimit-Limit-Minute', 'RateLimit-Reset', 'Retry-After']) assert.ok(names.includes(name))
})

test('the next window starts anew, and its end is never less than a second away', async (context) => {
  const { port, clock } = await limited(context, { minute: 1 })
  await ask(port, '/')
  clock.moveTo('2025-03-15T10:00:59.999Z')
  const refused = await ask(port, '/')
  assert.deepEqual([refused.status, refused.headers['retry-after']], [429, '1'])
  clock.moveTo('2025-03-15T10:01:00.000Z')
  const passed = await ask(port, '/')
  assert.deepEqual([passed.status, passed.headers['ratelimit-reset']], [200, '60'])
})

test('the standard headers are those of the tightest window, and of equals the longer', async (context) => {
  const { port } = await limited(context, { second: 5, hour: 5, day: 100 })
  const { headers } = await ask(port, '/')
  assert.equal(headers['x-ratelimit-remaining-second'], '4')
  assert.equal(headers['x-ratelimit-remaining-hour'], '4')
  assert.equal(headers['x-ratelimit-remaining-day'], '99')
  assert.equal(headers['ratelimit-limit'], '5')
  assert.equal(headers['ratelimit-reset'], String(60 * 60 - 17))
})

test('a refused request counts in no window', async (context) => {
  const { port, clock } = await limited(context, { second: 1, hour: 10 })
  await ask(port, '/')
  const refused = await ask(port, '/')
  assert.deepEqual([refused.status, refused.headers['x-ratelimit-remaining-hour']], [429, '9'])
  clock.moveTo('2025-03-15T10:00:18.500Z')
  assert.equal((await ask(port, '/')).headers['x-ratelimit-remaining-hour'], '8')
})

test('limits by header count each value apart, and requests without it by address', async (context) => {
  const { port } = await limited(context, { minute: 1, limit_by: 'header', header_name: 'X-Tenant' })
  const from = (tenant?: string) => ask(port, '/', tenant === undefined ? {} : { headers: { 'x-tenant': tenant } })
  const seen = [await from('a'), await from('b'), await from(), await from('a'), await from()]
  assert.deepEqual(
    seen.map((answer) => answer.status),
    [200, 200, 200, 429, 429],
  )
})

test('the client’s headers can be hidden, and the refusal be another', async (context) => {
  const limits = { minute: 1, hide_client_headers: true, error_code: 403, error_message: 'enough' }
  const { port } = await limited(context, limits)
  await ask(port, '/')
  const refused = await ask(port, '/')
  assert.deepEqual([refused.status, JSON.parse(refused.body).message], [403, 'enough'])
  assert.deepEqual(headersNamed(refused, /ratelimit|retry/), {})
})

test('deleting the plugin lifts the limit at once', async (context) => {
  const { port, config, plugins } = await limited(context, { minute: 1 })
  assert.deepEqual(await statuses(3, () => ask(port, '/')), [200, 429, 429])
  for (const { id } of plugins) config.remove('plugins', id)
  const { status, headers } = await ask(port, '/')
  assert.deepEqual([status, headers['x-ratelimit-limit-minute']], [200, undefined])
})

test('counts survive changes of the configuration, of the limit itself too', async (context) => {
  const { port, config, plugins } = await limited(context, { minute: 2 })
  assert.deepEqual(await statuses(3, () => ask(port, '/')), [200, 200, 429])
  config.add('consumers', { username: 'bob' })
  assert.equal((await ask(port, '/')).status, 429)
  const snapshot = config.snapshot()
  const raised = plugins.map((plugin) => ({ ...plugin, config: { ...plugin.config, minute: 3 } }))
  config.replace({ ...snapshot, plugins: raised })
  assert.deepEqual(await statuses(2, () => ask(port, '/')), [200, 429])
})

test('a consumer’s own limit replaces the route’s once the consumer is known', async (context) => {
  const { port, config, route } = await limited(context, { minute: 1 })
  config.add('plugins', { name: 'key-auth', route: { id: route.id } })
  for (const [username, minute] of [
    ['ann', 3],
    ['bob', undefined],
  ] as const) {
    const consumer = { id: config.add('consumers', { username }).id }
    config.add('keyauth_credentials', { key: username, consumer })
    if (minute !== undefined) config.add('plugins', { name: 'rate-limiting', config: { minute }, consumer })
  }
  const as = (key: string) => () => ask(port, '/', { headers: { apikey: key } })
  assert.deepEqual(await statuses(4, as('ann')), [200, 200, 200, 429])
  assert.deepEqual(await statuses(2, as('bob')), [200, 429])
})
