import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { RouteEntity } from './config/entities.ts'
import { ConfigFixture } from './gateway-fixture.ts'
import { compileRouter, literalPrefix, matchedChars } from './router.ts'

type Input = Readonly<Record<string, unknown>> & { readonly name: string }

/** A router over routes by name, later ones younger. */
function routerOf(...inputs: readonly Input[]) {
  const config = new ConfigFixture()
  const routes = inputs.map((input, index): RouteEntity => config.add('routes', { created_at: 100 + index, ...input }))
  return compileRouter(routes.map((route) => ({ route, target: route.name })))
}

function matchOf(router: ReturnType<typeof routerOf>, path: string, request: Record<string, unknown> = {}) {
  const { method = 'GET', ...headers } = request
  return router.match({ method: String(method), headers: headers as Record<string, string> }, path)?.target
}

test('a prefix is one of text, not of segments', () => {
  const router = routerOf({ name: 'rou', paths: ['/rou'] })
  assert.equal(matchOf(router, '/route'), 'rou')
  assert.equal(matchOf(router, '/ro'), undefined)
})

test('every kind of attribute that a route has must match', () => {
  const router = routerOf({
    name: 'all',
    methods: ['PUT'],
    hosts: ['a.com'],
    paths: ['/x'],
    headers: { 'X-Y': ['1', '2'] },
  })
  const request = { method: 'PUT', host: 'a.com', 'x-y': '2' }
  assert.equal(matchOf(router, '/x', request), 'all')
  assert.equal(matchOf(router, '/y', request), undefined)
  for (const change of [{ method: 'GET' }, { host: 'b.com' }, { 'x-y': '3' }]) {
    assert.equal(matchOf(router, '/x', { ...request, ...change }), undefined)
  }
})

test('more kinds of attributes win over a longer path', () => {
  const router = routerOf(
    { name: 'path', paths: ['/a/very/long/path'] },
    { name: 'host-and-header', hosts: ['a.com'], headers: { version: ['2'] } },
  )
  assert.equal(matchOf(router, '/a/very/long/path', { host: 'a.com', version: '2' }), 'host-and-header')
  assert.equal(matchOf(router, '/a/very/long/path', { host: 'a.com' }), 'path')
})

test('an exact host wins over a wildcard, whatever the paths', () => {
  const router = routerOf(
    { name: 'wildcard', hosts: ['*.a.com'], paths: ['/long/path'] },
    { name: 'exact', hosts: ['x.a.com'], paths: ['/'] },
  )
  assert.equal(matchOf(router, '/long/path', { host: 'x.a.com' }), 'exact')
  assert.equal(matchOf(router, '/long/path', { host: 'y.a.com' }), 'wildcard')
})

test('more headers win over fewer, and over a regular expression', () => {
  const router = routerOf(
    { name: 'regex', paths: ['~/x/.*'], headers: { a: ['1'] } },
    { name: 'two', paths: ['/x'], headers: { a: ['1'], b: ['1'] } },
  )
  assert.equal(matchOf(router, '/x/1', { a: '1', b: '1' }), 'two')
  assert.equal(matchOf(router, '/x/1', { a: '1' }), 'regex')
})

test('a regular expression wins over a longer prefix, and among them the higher priority', () => {
  const router = routerOf(
    { name: 'prefix', paths: ['/users/12/profile'] },
    { name: 'low', paths: ['~/users/[0-9]+'], regex_priority: 1 },
    { name: 'high', paths: ['~/users/'], regex_priority: 2 },
  )
  assert.equal(matchOf(router, '/users/12/profile'), 'high')
})

test('a longer prefix wins, and of equals the older route', () => {
  const router = routerOf(
    { name: 'short', paths: ['/a'] },
    { name: 'younger', paths: ['/a/b'], created_at: 20 },
    { name: 'older', paths: ['/a/b'], created_at: 10 },
  )
  assert.equal(matchOf(router, '/a/b/c'), 'older')
  assert.equal(matchOf(router, '/a/c'), 'short')
})

test('each path of a route has its own priority', () => {
  const router = routerOf({ name: 'mixed', paths: ['/a', '/b/long/one'] }, { name: 'other', paths: ['/a/b', '/b'] })
  assert.equal(matchOf(router, '/a/b'), 'other')
  assert.equal(matchOf(router, '/b/long/one'), 'mixed')
  assert.equal(matchOf(router, '/b/x'), 'other')
})

test('regular expressions are anchored at the start only', () => {
  const router = routerOf(
    { name: 'profile', paths: ['~/users/(?P<id>\\d+)/profile$'] },
    { name: 'users', paths: ['/users'] },
  )
  assert.equal(matchOf(router, '/users/12/profile'), 'profile')
  assert.equal(matchOf(router, '/users/12/profiles'), 'users')
  assert.equal(matchOf(router, '/x/users/12/profile'), undefined)
})

test('hosts are compared without case, and without a port when the route names none', () => {
  const router = routerOf(
    { name: 'any', hosts: ['A.com'] },
    { name: 'port', hosts: ['a.com:8443'] },
    { name: 'end', hosts: ['b.*'] },
  )
  assert.equal(matchOf(router, '/', { host: 'a.COM:1234' }), 'any')
  assert.equal(matchOf(router, '/', { host: 'a.com' }), 'any')
  assert.equal(matchOf(router, '/', { host: 'b.org' }), 'end')
  assert.equal(matchOf(router, '/', {}), undefined)
})

test('who names no port in a host has come to the one of the scheme', () => {
  const router = routerOf({ name: 'tls', hosts: ['a.com:443'] }, { name: 'plain', hosts: ['a.com:80'] })
  const request = { method: 'GET', headers: { host: 'a.com' } }
  assert.equal(router.match(request, '/', { serverName: undefined })?.target, 'plain')
  assert.equal(router.match(request, '/', { serverName: '' })?.target, 'tls')
})

test('of the values of a header, any may be a regular expression, and any of what a client repeats may match', () => {
  const router = routerOf({ name: 'list', headers: { a: ['~*^v\\d$', 'One', '~*x$'] } })
  for (const a of ['V2', 'one', 'aX', 'zz, v3', 'v3, zz']) assert.equal(matchOf(router, '/', { a }), 'list', a)
  for (const a of ['two', 'v22', '~*^v\\d$', 'v3z, zz']) assert.equal(matchOf(router, '/', { a }), undefined, a)
})

test('header values are compared without case, or by a regular expression', () => {
  const router = routerOf({ name: 'text', headers: { a: ['One'] } }, { name: 'regex', headers: { b: ['~*^v\\d$'] } })
  assert.equal(matchOf(router, '/', { a: 'oNE' }), 'text')
  assert.equal(matchOf(router, '/', { a: 'two, one' }), 'text')
  assert.equal(matchOf(router, '/', { b: 'V2' }), 'regex')
})

test('what was matched is what strip_path takes away', () => {
  const router = routerOf({ name: 'regex', paths: ['~/v[0-9]+'] }, { name: 'prefix', paths: ['/plain'] })
  const charsOf = (path: string) => {
    const row = router.match({ method: 'GET', headers: {} }, path)
    return row && matchedChars(row, path)
  }
  assert.equal(charsOf('/v12/x'), 4)
  assert.equal(charsOf('/plain/x'), 6)
})

test('a regular expression that cannot be read makes only its route impossible', () => {
  const config = new ConfigFixture()
  const fine = config.add('routes', { paths: ['/fine'] })
  const broken = { ...config.add('routes', { name: 'broken', paths: ['/x'] }), paths: ['~/(*'] }
  const router = compileRouter([fine, broken].map((route) => ({ route, target: route.id })))
  assert.equal(router.match({ method: 'GET', headers: {} }, '/fine')?.target, fine.id)
  assert.equal(router.problems.length, 1)
  assert.match(router.problems[0] ?? '', /route broken can never match/)
})

test('the literal beginning of an expression is never longer than what it must match', () => {
  assert.equal(literalPrefix('/users/\\d+/profile$'), '/users/')
  assert.equal(literalPrefix('/ab?c'), '/a')
  assert.equal(literalPrefix('/ab*'), '/a')
  assert.equal(literalPrefix('/ab{0,2}'), '/a')
  assert.equal(literalPrefix('/ab+'), '/ab')
  assert.equal(literalPrefix('/a\\.b'), '/a.b')
  assert.equal(literalPrefix('/a|/b'), '')
  assert.equal(literalPrefix('(?:/a)?/b'), '')
})

/** Three times `count` routes as large applications have them, and requests that find one of them each. */
function manyRoutes(count: number) {
  const template = new ConfigFixture().add('routes', { paths: ['/'], methods: ['GET'] })
  const routes = Array.from({ length: count }, (_, index): RouteEntity[] => [
    { ...template, name: `path-${index}`, paths: [`/service-${index}/orders`] },
    { ...template, name: `host-${index}`, hosts: [`tenant-${index}.example`] },
    { ...template, name: `regex-${index}`, paths: [`~/catalog-${index}/(?<id>\\d+)$`] },
  ]).flat()
  const asked = Array.from({ length: 100 }, (_, index) => {
    const number = (index * 7_919) % count
    return [
      { name: `path-${number}`, path: `/service-${number}/orders/1`, host: 'a' },
      { name: `host-${number}`, path: '/some/page', host: `tenant-${number}.example` },
      { name: `regex-${number}`, path: `/catalog-${number}/12`, host: 'a' },
    ]
  }).flat()
  return { router: compileRouter(routes.map((route) => ({ route, target: route.name }))), asked }
}

test('a lookup among ten thousand routes looks at no more of them than one among ten', () => {
  const looks = [4, 3_334].map((count) => {
    const { router, asked } = manyRoutes(count)
    let looked = 0
    for (const { name, path, host } of asked) {
      const request = {
        headers: { host },
        get method() {
          looked += 1 // Once for each route that comes into question.
          return 'GET'
        },
      }
      assert.equal(router.match(request, path)?.target, name)
    }
    return looked
  })
  assert.deepEqual(looks, [300, 300])
})

test('a route of a host and one of any host are compared by their ranks', () => {
  const router = routerOf(
    { name: 'host', hosts: ['a.com'] },
    { name: 'path', paths: ['/x'] },
    { name: 'host-and-path', hosts: ['a.com'], paths: ['/x'] },
    { name: 'three', methods: ['GET'], paths: ['/x/y'], headers: { v: ['1'] } },
    { name: 'wildcard', hosts: ['*.com'], paths: ['/x/y'] },
  )
  assert.equal(matchOf(router, '/', { host: 'a.com' }), 'host')
  assert.equal(matchOf(router, '/x', { host: 'a.com' }), 'host-and-path')
  assert.equal(matchOf(router, '/x/y', { host: 'a.com' }), 'host-and-path')
  assert.equal(matchOf(router, '/x/y', { host: 'a.com', v: '1' }), 'three')
  assert.equal(matchOf(router, '/x/y', { host: 'b.com' }), 'wildcard')
  assert.equal(matchOf(router, '/x', { host: 'b.com' }), 'path')
})

test('names asked for by TLS must match those of a route; without TLS there are none to compare', () => {
  const router = routerOf(
    { name: 'named', paths: ['/'], snis: ['A.example'], protocols: ['https'] },
    { name: 'any', paths: ['/'] },
  )
  const find = (serverName: string | undefined) =>
    router.match({ method: 'GET', headers: {} }, '/', { serverName })?.target
  assert.deepEqual([find('a.example'), find('b.example'), find(''), find(undefined)], ['named', 'any', 'any', 'named'])
})
