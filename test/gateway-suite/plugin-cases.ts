import assert from 'node:assert/strict'
import type { Case } from './case.ts'
import { answerAs, seenBy } from './echo.ts'

const METHODS = 'GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT'
const JSON_TYPE = { 'content-type': 'application/json' }

export const pluginCases: readonly Case[] = [
  [
    'request-transformer: remove, rename, replace, add and append, in this order',
    async (world) => {
      await world.plugged('request-transformer', {
        remove: { headers: ['X-Gone'], querystring: ['gone'] },
        rename: { headers: ['X-Old:X-New'], querystring: ['old:new'] },
        replace: { headers: ['X-There:replaced', 'X-Absent:never'], querystring: ['there:2'], body: ['there:2'] },
        add: { headers: ['X-There:never', 'X-Added:$(headers.x_old)'], querystring: ['added:3'], body: ['added:3'] },
        append: { headers: ['X-List:b'], querystring: ['list:b'] },
      })
      const headers = { ...JSON_TYPE, 'X-Gone': '1', 'X-Old': 'old', 'X-There': 'there', 'X-List': 'a' }
      const path = '/?gone=1&old=0&there=1&list=a'
      const seen = seenBy(await world.ask(path, { method: 'POST', headers, body: '{"there":1}' }))
      assert.deepEqual(
        ['x-gone', 'x-old', 'x-new', 'x-there', 'x-absent', 'x-list'].map((name) => seen.headers[name]),
        [undefined, undefined, 'old', 'replaced', undefined, 'a, b'],
      )
      assert.deepEqual(JSON.parse(seen.body), { there: '2', added: '3' })
      const parameters = new URLSearchParams(seen.url.slice(seen.url.indexOf('?')))
      assert.deepEqual([...parameters].map((pair) => pair.join('=')).toSorted(), [
        'added=3',
        'list=a',
        'list=b',
        'new=0',
        'there=2',
      ])
    },
  ],
  [
    'request-transformer: method and path are replaced, the path by what a regular expression found',
    async (world) => {
      const { route } = await world.route({ paths: ['~/users/(?<id>\\d+)/(\\w+)'] })
      const config = { http_method: 'PUT', replace: { uri: '/people/$(uri_captures.id)/$(uri_captures[2])' } }
      await world.add(`/routes/${route.id}/plugins`, { name: 'request-transformer', config })
      const { method, url } = seenBy(await world.ask('/users/12/mail?a=1'))
      assert.deepEqual([method, url], ['PUT', '/people/12/mail?a=1'])
    },
  ],
  [
    'response-transformer: headers and JSON are changed, and the length with them',
    async (world) => {
      await world.plugged('response-transformer', {
        remove: { headers: ['X-Gone'], json: ['secret'] },
        rename: { headers: ['X-Old:X-New'] },
        replace: { headers: ['X-There:replaced', 'X-Absent:never'], json: ['there:2'], json_types: ['number'] },
        add: { headers: ['X-Added:a:b'], json: ['text:1'] },
        append: { headers: ['Set-Cookie:b=2'], json: ['scalar:b'] },
      })
      const body = JSON.stringify({ secret: 's', there: 1, scalar: 'a' })
      const own = { 'X-Gone': '1', 'X-Old': 'old', 'X-There': 'there', 'Set-Cookie': ['a=1'] }
      const wanted = { status: 201, body, headers: { ...own, 'Content-Length': body.length } }
      const answer = await world.ask('/', { headers: answerAs(wanted) })
      const { headers } = answer
      assert.equal(answer.status, 201)
      assert.deepEqual(
        ['x-gone', 'x-old', 'x-new', 'x-there', 'x-absent', 'x-added'].map((name) => headers[name]),
        [undefined, undefined, 'old', 'replaced', undefined, 'a:b'],
      )
      assert.deepEqual([headers['set-cookie'], headers['content-length']], [['a=1', 'b=2'], undefined])
      assert.deepEqual(JSON.parse(answer.body), { there: 2, scalar: ['a', 'b'], text: '1' })
    },
  ],
  [
    'request-termination: status, message and body as configured, in compact JSON; armed by a trigger',
    async (world) => {
      const { plugin } = await world.plugged('request-termination', {})
      for (const [config, status, body, type] of [
        [{}, 503, '{"message":"Service unavailable"}', 'application/json; charset=utf-8'],
        [{ status_code: 404 }, 404, '{"message":"Not found"}', 'application/json; charset=utf-8'],
        [{ status_code: 418, message: 'tea' }, 418, '{"message":"tea"}', 'application/json; charset=utf-8'],
        [{ status_code: 200, message: null, body: '<p>', content_type: 'text/html' }, 200, '<p>', 'text/html'],
      ] as const) {
        await world.admin('PATCH', `/plugins/${plugin.id}`, { config })
        const answer = await world.ask('/')
        assert.deepEqual([answer.status, answer.body, answer.headers['content-type']], [status, body, type])
      }
      await world.admin('PATCH', `/plugins/${plugin.id}`, { config: { trigger: 'X-Stop', status_code: 405 } })
      assert.equal(seenBy(await world.ask('/')).url, '/')
      assert.equal((await world.ask('/', { headers: { 'x-stop': '1' } })).status, 405)
      assert.equal((await world.ask('/?X-Stop=1')).status, 405)
    },
  ],
  [
    'correlation-id: each request gets one, an id that came with it stays, and it is echoed on demand',
    async (world) => {
      await world.plugged('correlation-id', { header_name: 'X-Own-Id', echo_downstream: true })
      const [first, second] = [await world.ask('/'), await world.ask('/')]
      const uuid = /^[0-9a-f-]{36}#\d+$/
      assert.match(String(first.headers['x-own-id']), uuid)
      assert.equal(seenBy(first).headers['x-own-id'], first.headers['x-own-id'])
      assert.notEqual(second.headers['x-own-id'], first.headers['x-own-id'])
      assert.equal(seenBy(await world.ask('/', { headers: { 'x-own-id': 'mine' } })).headers['x-own-id'], 'mine')
    },
  ],
  [
    'cors: a preflight is answered, everything else decorated, refusals too',
    async (world) => {
      const { route, plugin } = await world.plugged('cors')
      const origin = 'https://a.test'
      const asked = { origin, 'access-control-request-method': 'PUT', 'access-control-request-headers': 'x-one' }
      const preflight = () => world.ask('/', { method: 'OPTIONS', headers: asked })
      const said = async (headers: Record<string, string>) => {
        const answer = await world.ask('/', { headers })
        return [answer.status, answer.headers['access-control-allow-origin'], answer.headers.vary]
      }
      const { status, headers, body } = await preflight()
      assert.deepEqual([status, body, headers['content-length']], [200, '', '0'])
      assert.deepEqual(
        ['origin', 'methods', 'headers'].map((name) => headers[`access-control-allow-${name}`]),
        ['*', METHODS, 'x-one'],
      )
      assert.deepEqual(await said({ origin }), [200, '*', undefined])
      await world.admin('PATCH', `/plugins/${plugin.id}`, { config: { credentials: true } })
      assert.deepEqual(await said({ origin }), [200, origin, 'Origin'])
      await world.admin('PATCH', `/plugins/${plugin.id}`, { config: { origins: [origin, 'https://b.test'] } })
      assert.deepEqual((await said({ origin: 'https://c.test' })).slice(0, 2), [200, undefined])
      await world.add(`/routes/${route.id}/plugins`, { name: 'key-auth', config: { run_on_preflight: false } })
      assert.deepEqual((await said({ origin })).slice(0, 2), [401, origin])
      assert.equal((await preflight()).status, 200)
    },
  ],
]
