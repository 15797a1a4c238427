import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Ask, addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'
import type { LocalUpstream } from '../upstream.ts'

/** A service of this process that answers its name; many of them cost no ports. */
function service(name: string): LocalUpstream {
  return { kind: 'local', dispatch: (_request, response) => response.end(name) }
}

/** Who answers which request, over four targets. */
async function hashed(context: TestContext, upstream: Record<string, unknown>, route: Record<string, unknown> = {}) {
  const config = new ConfigFixture()
  const { id } = config.add('upstreams', { name: 'orders.internal', ...upstream })
  const targets = ['a', 'b', 'c', 'd'].map((target) => config.add('targets', { target, upstream: { id } }))
  addRoute(config, { paths: ['/'], strip_path: false, ...route }, { host: 'orders.internal' })
  const { port } = await startGateway(context, {
    config,
    resolve: ({ host }) => (host.length === 1 ? service(host) : undefined),
  })
  const who = async (path: string, headers: Ask['headers'] = {}) => (await ask(port, path, { headers })).body
  return { config, targets, port, who }
}

/** Asks for each value twice, and asserts that one target answers each, and more than one answers all. */
async function assertSticky(asks: readonly (() => Promise<string>)[]): Promise<void> {
  const first = await Promise.all(asks.map((each) => each()))
  const second = await Promise.all(asks.map((each) => each()))
  assert.deepEqual(first, second)
  assert.ok(new Set(first).size > 1)
}

const users = Array.from({ length: 24 }, (_, index) => `user-${index}`)

test('a request goes where its header leads, and one without it by turns', async (context) => {
  const { who } = await hashed(context, { hash_on: 'header', hash_on_header: 'X-User' })
  await assertSticky(users.map((user) => () => who('/', { 'x-user': user })))
  const without = [await who('/'), await who('/'), await who('/'), await who('/')]
  assert.deepEqual(without.sort(), ['a', 'b', 'c', 'd'])
})

test('a request goes where its path, or an argument of its query, leads', async (context) => {
  const byPath = await hashed(context, { hash_on: 'path' })
  await assertSticky(users.map((user) => () => byPath.who(`/${user}?x=${Math.floor(performance.now())}`)))
  const byArgument = await hashed(context, { hash_on: 'query_arg', hash_on_query_arg: 'user' })
  await assertSticky(users.map((user) => () => byArgument.who(`/?user=${user}`)))
})

test('a request goes where a part of its path leads that the route names', async (context) => {
  const upstream = { hash_on: 'uri_capture', hash_on_uri_capture: 'user' }
  const { who } = await hashed(context, upstream, { paths: ['~/(?<version>v\\d)/(?<user>[^/]+)'] })
  await assertSticky(users.map((user) => () => who(`/v1/${user}`)))
  assert.equal(await who('/v1/user-1'), await who('/v2/user-1/orders'))
})

test('a fallback decides for requests that have nothing else', async (context) => {
  const upstream = { hash_on: 'consumer', hash_fallback: 'header', hash_fallback_header: 'x-user' }
  const { who } = await hashed(context, upstream)
  await assertSticky(users.map((user) => () => who('/', { 'x-user': user })))
})

test('all of one address go to one target', async (context) => {
  const { who } = await hashed(context, { hash_on: 'ip' })
  assert.equal(new Set(await Promise.all(users.map(() => who('/')))).size, 1)
})

test('a client without the cookie gets one, and stays where that leads', async (context) => {
  const { port } = await hashed(context, { hash_on: 'cookie', hash_on_cookie: 'seat', hash_on_cookie_path: '/shop' })
  const first = await ask(port, '/')
  const [cookie = ''] = first.headers['set-cookie'] ?? []
  assert.match(cookie, /^seat=[0-9a-f-]{36}; Path=\/shop; SameSite=Lax; HttpOnly$/)
  const [pair = ''] = cookie.split(';')
  for (let index = 0; index < 4; index++) {
    const next = await ask(port, '/', { headers: { cookie: `other=1; ${pair}` } })
    assert.deepEqual([next.body, next.headers['set-cookie']], [first.body, undefined])
  }
})

test('a target that goes takes only its own requests along', async (context) => {
  const { config, targets, who } = await hashed(context, { hash_on: 'header', hash_on_header: 'x-user' })
  const places = () => Promise.all(users.map((user) => who('/', { 'x-user': user })))
  const before = await places()
  config.remove('targets', targets.find(({ target }) => target === 'b:8000')?.id ?? '')
  const after = await places()
  assert.ok(before.includes('b') && !after.includes('b'))
  assert.ok(before.every((place, index) => place === 'b' || place === after[index]))
})
