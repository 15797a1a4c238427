import assert from 'node:assert/strict'
import { JOINED_PATHS } from '../../src/gateway/path-fixture.ts'
import type { Case } from './case.ts'
import { seenBy } from './echo.ts'
import { type Json, outcome, type Stored, type World } from './world.ts'

type Sent = { readonly path: string; readonly headers?: Record<string, string>; readonly method?: string }

/** Routes of one service by name, and which of them a request takes; later ones are younger. */
async function competing(world: World, routes: Readonly<Record<string, Json>>) {
  const service = await world.add('/services', { host: 'echo-service', path: '/taken' })
  for (const [name, route] of Object.entries(routes)) await routeThatTells(world, service, { name, ...route })
  return async ({ path, headers = {}, method = 'GET' }: Sent) => {
    const answer = await world.ask(path, { method, headers })
    return answer.status === 404 ? undefined : String(seenBy(answer).headers['x-route'])
  }
}

/** The service sees its name. */
async function routeThatTells(world: World, service: Stored, { name, ...route }: Json): Promise<void> {
  const { id } = await world.routeTo(service, route)
  const config = { add: { headers: [`X-Route:${name}`] } }
  await world.add(`/routes/${id}/plugins`, { name: 'request-transformer', config })
}

export const routingCases: readonly Case[] = [
  [
    'paths of the service, of the route and of the request are joined as Kong joins them',
    async (world) => {
      const rows = Map.groupBy(JOINED_PATHS, ([base, prefix]) => `${base} ${prefix}`)
      for (const [key, requests] of rows) {
        const [base = '', prefix = ''] = key.split(' ')
        const { route } = await world.route({ paths: [prefix] }, { path: base })
        const urls = async () => Promise.all(requests.map(async ([, , path]) => seenBy(await world.ask(path)).url))
        assert.deepEqual(
          await urls(),
          requests.map(([, , , stripped]) => stripped),
          `${key} stripped`,
        )
        await world.admin('PATCH', `/routes/${route.id}`, { strip_path: false })
        assert.deepEqual(
          await urls(),
          requests.map(([, , , , whole]) => whole),
          `${key} whole`,
        )
        await world.admin('DELETE', `/routes/${route.id}`)
      }
    },
  ],
  [
    'a route without paths leaves the path whole',
    async (world) => {
      await world.route({}, { path: '/service' })
      assert.equal(seenBy(await world.ask('/')).url, '/service')
      assert.equal(seenBy(await world.ask('/route')).url, '/service/route')
    },
  ],
  [
    'a regular expression is stripped where it matched, from the start and not to the end',
    async (world) => {
      await world.route({ paths: ['~/users/(?<id>\\d+)'] }, { path: '/base' })
      assert.equal(seenBy(await world.ask('/users/12/profile')).url, '/base/profile')
      assert.equal((await world.ask('/x/users/12')).status, 404)
    },
  ],
  [
    'a path is normalised before it is matched, its query is left as it came',
    async (world) => {
      await world.route({ paths: ['/hello'], strip_path: false })
      const { url, headers } = seenBy(await world.ask('//x/../h%65llo/cat%20and%20dog/a%2Fb?b=%20&a&?'))
      assert.equal(url, '/hello/cat%20and%20dog/a%2Fb?b=%20&a&?')
      assert.equal(headers['x-forwarded-path'], '//x/../h%65llo/cat%20and%20dog/a%2Fb')
      for (const query of ['?', '?hello', '?a=1&a=2']) {
        assert.equal(seenBy(await world.ask(`/hello${query}`)).url, `/hello${query}`)
      }
    },
  ],
  [
    'a prefix is one of text; what no route matches is a 404',
    async (world) => {
      await world.route({ paths: ['/rou'] })
      assert.equal((await world.ask('/route')).status, 200)
      assert.deepEqual(outcome(await world.ask('/ro')), [404, 'no Route matched with those values'])
    },
  ],
  [
    'all kinds of attributes must match, one value of each',
    async (world) => {
      const headers = { 'X-Version': ['1', 'Two'] }
      await world.route({ methods: ['PUT', 'POST'], paths: ['/a', '/b'], headers })
      const status = async (method: string, path: string, version: string) =>
        (await world.ask(path, { method, headers: { 'x-version': version } })).status
      assert.equal(await status('PUT', '/a', '1'), 200)
      assert.equal(await status('POST', '/b', 'tWO'), 200)
      assert.equal(await status('GET', '/a', '1'), 404)
      assert.equal(await status('PUT', '/c', '1'), 404)
      assert.equal(await status('PUT', '/a', '3'), 404)
    },
  ],
  [
    'more kinds of attributes win over a longer path',
    async (world) => {
      const taken = await competing(world, {
        path: { paths: ['/a/very/long/path'] },
        methodAndHeader: { methods: ['GET'], headers: { version: ['2'] } },
      })
      assert.equal(await taken({ path: '/a/very/long/path', headers: { version: '2' } }), 'methodAndHeader')
      assert.equal(await taken({ path: '/a/very/long/path' }), 'path')
    },
  ],
  [
    'an exact host wins over a wildcard, whatever the paths; case and port of the host do not count',
    async (world) => {
      const domain = world.host
      const taken = await competing(world, {
        wildcard: { hosts: [`*.${domain}`], paths: ['/long/path'] },
        exact: { hosts: [`x.${domain}`], paths: ['/'] },
        end: { hosts: [`${domain.replace('.test', '')}.*`] },
      })
      const at = (host: string) => taken({ path: '/long/path', headers: { host } })
      assert.equal(await at(`x.${domain}`), 'exact')
      assert.equal(await at(`X.${domain.toUpperCase()}:1234`), 'exact')
      assert.equal(await at(`y.${domain}`), 'wildcard')
      assert.equal(await at(domain.replace('.test', '.example')), 'end')
    },
  ],
  [
    'more headers win over fewer, a regular expression over a prefix, and a higher priority over a lower one',
    async (world) => {
      const taken = await competing(world, {
        prefix: { paths: ['/users/12/profile'] },
        low: { paths: ['~/users/[0-9]+'], regex_priority: 1 },
        high: { paths: ['~/users/'], regex_priority: 2 },
        oneHeader: { paths: ['~/x/.*'], headers: { a: ['1'] } },
        twoHeaders: { paths: ['/x'], headers: { a: ['1'], b: ['~*^v\\d$'] } },
      })
      assert.equal(await taken({ path: '/users/12/profile' }), 'high')
      assert.equal(await taken({ path: '/x/1', headers: { a: '1', b: 'v2' } }), 'twoHeaders')
      assert.equal(await taken({ path: '/x/1', headers: { a: '1', b: 'w2' } }), 'oneHeader')
    },
  ],
  [
    'a longer prefix wins, and each path of a route by itself',
    async (world) => {
      const taken = await competing(world, {
        mixed: { paths: ['/a', '/b/long/one'] },
        other: { paths: ['/a/b', '/b'] },
      })
      assert.equal(await taken({ path: '/a/b' }), 'other')
      assert.equal(await taken({ path: '/b/long/one' }), 'mixed')
      assert.equal(await taken({ path: '/b/x' }), 'other')
    },
  ],
  [
    'with a service that is disabled its routes are gone',
    async (world) => {
      const { service } = await world.route()
      assert.equal((await world.ask('/')).status, 200)
      await world.admin('PATCH', `/services/${service.id}`, { enabled: false })
      assert.deepEqual(outcome(await world.ask('/')), [404, 'no Route matched with those values'])
    },
  ],
]
