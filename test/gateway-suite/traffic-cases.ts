import assert from 'node:assert/strict'
import type { Answer } from '../../src/gateway/gateway-fixture.ts'
import { freePort, until } from '../../src/testing/index.ts'
import type { Case } from './case.ts'
import { answerAs } from './echo.ts'
import { type Json, outcome } from './world.ts'

const cacheOf = ({ headers, body }: Answer) => [headers['x-cache-status'], body]

/** A service that answers with a number, each time another. */
function counting() {
  let count = 0
  return () => answerAs({ body: String(++count) })
}

export const trafficCases: readonly Case[] = [
  [
    'rate-limiting: remaining counts down without the request itself, then 429 until the window ends',
    async (world) => {
      await world.plugged('rate-limiting', { year: 3 })
      for (const remaining of ['2', '1', '0']) {
        const { status, headers } = await world.ask('/')
        assert.deepEqual([status, headers['x-ratelimit-limit-year'], headers['ratelimit-limit']], [200, '3', '3'])
        assert.deepEqual(
          [headers['x-ratelimit-remaining-year'], headers['ratelimit-remaining']],
          [remaining, remaining],
        )
        assert.equal(headers['retry-after'], undefined)
      }
      const refused = await world.ask('/')
      assert.deepEqual(outcome(refused), [429, 'API rate limit exceeded'])
      assert.deepEqual(Object.keys(JSON.parse(refused.body) as Json), ['message', 'request_id'])
      assert.equal(refused.headers['x-ratelimit-remaining-year'], '0')
      assert.equal(refused.headers['retry-after'], refused.headers['ratelimit-reset'])
      assert.ok(Number(refused.headers['retry-after']) >= 1)
    },
  ],
  [
    'rate-limiting: concurrent requests pass exactly as often as the limit says',
    async (world) => {
      await world.plugged('rate-limiting', { year: 20 })
      const answers = await Promise.all(Array.from({ length: 60 }, () => world.ask('/')))
      assert.equal(answers.filter(({ status }) => status === 200).length, 20)
      assert.equal(answers.filter(({ status }) => status === 429).length, 40)
    },
  ],
  [
    'rate-limiting: each value of a header has its own count, and headers and refusal can be others',
    async (world) => {
      const config = { year: 1, limit_by: 'header', header_name: 'X-Tenant', hide_client_headers: true }
      await world.plugged('rate-limiting', { ...config, error_code: 503, error_message: 'enough' })
      const of = (tenant: string) => world.ask('/', { headers: { 'x-tenant': tenant } })
      assert.equal((await of('a')).status, 200)
      assert.equal((await of('b')).status, 200)
      const refused = await of('a')
      assert.deepEqual(outcome(refused), [503, 'enough'])
      for (const name of ['x-ratelimit-limit-year', 'ratelimit-limit', 'retry-after']) {
        assert.equal(refused.headers[name], undefined)
      }
    },
  ],
  [
    'rate-limiting: a Redis that is down lets pass without headers, or is a 500, as fault_tolerant says',
    async (world) => {
      const redis = { host: '127.0.0.1', port: await freePort() }
      const { plugin } = await world.plugged('rate-limiting', { year: 1, policy: 'redis', redis })
      for (let count = 0; count < 2; count++) {
        const { status, headers } = await world.ask('/')
        assert.deepEqual([status, headers['x-ratelimit-limit-year']], [200, undefined])
      }
      await world.admin('PATCH', `/plugins/${plugin.id}`, { config: { fault_tolerant: false } })
      assert.deepEqual(outcome(await world.ask('/')), [500, 'An unexpected error occurred'])
    },
  ],
  [
    'proxy-cache: a response is answered again with its age, until it is removed by its key, or all are',
    async (world) => {
      const { plugin } = await world.plugged('proxy-cache', { strategy: 'memory' })
      const next = counting()
      const get = (path: string) => world.ask(path, { headers: next() })
      const first = await get('/a?x=1&y=2')
      assert.deepEqual(cacheOf(first), ['Miss', '1'])
      const hit = await get('/a?y=2&x=1')
      assert.deepEqual(cacheOf(hit), ['Hit', '1'])
      assert.match(String(hit.headers.age), /^\d+$/)
      const key = String(first.headers['x-cache-key'])
      assert.match(key, /^[0-9a-f]{64}$/)
      for (const at of [`/proxy-cache/${key}`, `/proxy-cache/${plugin.id}/caches/${key}`]) {
        const { status, body } = await world.admin('GET', at)
        assert.deepEqual([status, body.body], [200, '1'])
      }
      assert.equal((await world.admin('DELETE', `/proxy-cache/${key}`)).status, 204)
      assert.equal((await world.admin('GET', `/proxy-cache/${key}`)).status, 404)
      assert.equal((await world.admin('DELETE', `/proxy-cache/${plugin.id}/caches/${key}`)).status, 404)
      assert.deepEqual(cacheOf(await get('/a?x=1&y=2')), ['Miss', '3'])
      assert.equal((await world.admin('DELETE', '/proxy-cache')).status, 204)
      assert.deepEqual(cacheOf(await get('/a?x=1&y=2')), ['Miss', '4'])
    },
  ],
  [
    'proxy-cache: what is not to be stored, or asked for by another method, goes past it',
    async (world) => {
      await world.plugged('proxy-cache', { strategy: 'memory', cache_control: true })
      const caching = { 'Cache-Control': 'max-age=60' }
      const asked = (wanted: Json, headers: Json = {}) =>
        world.ask('/', { headers: { ...answerAs(wanted), ...(headers as Record<string, string>) } })
      for (const answer of [
        { headers: caching, status: 500 },
        { headers: { ...caching, 'Content-Type': 'application/json; charset=utf-8' } },
        { headers: { 'Cache-Control': 'private' } },
        { headers: { 'Cache-Control': 'no-store' } },
      ]) {
        assert.equal((await asked(answer)).headers['x-cache-status'], 'Bypass', JSON.stringify(answer))
      }
      const only = await asked({}, { 'cache-control': 'only-if-cached' })
      assert.equal(only.status, 504)
      assert.equal((await asked({}, { 'cache-control': 'no-store' })).headers['x-cache-status'], 'Bypass')
      assert.equal((await world.ask('/', { method: 'POST' })).headers['x-cache-status'], 'Bypass')
    },
  ],
  [
    'request-size-limiting: 413 beyond the limit, 417 to who asks first, 411 without a length',
    async (world) => {
      const { plugin } = await world.plugged('request-size-limiting', { allowed_payload_size: 10, size_unit: 'bytes' })
      const post = (body: string, headers: Record<string, string>) => world.ask('/', { method: 'POST', body, headers })
      const length = (bytes: number) => ({ 'content-length': String(bytes) })
      assert.equal((await post('x'.repeat(10), length(10))).status, 200)
      assert.deepEqual(outcome(await post('x'.repeat(11), length(11))), [413, 'Request size limit exceeded'])
      const chunked = await post('x'.repeat(100_000), { 'transfer-encoding': 'chunked' })
      assert.deepEqual(outcome(chunked), [413, 'Request size limit exceeded'])
      const asking = await post('x'.repeat(11), { ...length(11), expect: '100-continue' })
      assert.deepEqual(outcome(asking), [417, 'Request size limit exceeded'])
      await world.admin('PATCH', `/plugins/${plugin.id}`, { config: { require_content_length: true } })
      assert.equal((await world.ask('/')).status, 200)
    },
  ],
  [
    'http-log: an entry for each request, with Kong’s fields and without secrets',
    async (world) => {
      const entries: Json[] = []
      const port = await world.upstream(async (request, response) => {
        let text = ''
        for await (const chunk of request) text += chunk
        entries.push(JSON.parse(text) as Json)
        response.end()
      })
      const { route, service } = await world.plugged('http-log', { http_endpoint: `http://127.0.0.1:${port}/logs` })
      const answer = await world.ask('/orders?b=1', { headers: { authorization: 'Bearer secret' } })
      await until(() => entries.length === 1, { what: 'the entry' })
      const { request, response, ...entry } = entries[0] as Record<'request' | 'response', Json> & Json
      assert.doesNotMatch(JSON.stringify(entries), /secret/)
      assert.deepEqual([request.method, request.uri, request.querystring], ['GET', '/orders?b=1', { b: '1' }])
      assert.equal(request.id, answer.headers['x-kong-request-id'])
      assert.equal((request.headers as Json).authorization, 'REDACTED')
      assert.equal(response.status, 200)
      assert.deepEqual([(entry.route as Json).id, (entry.service as Json).id], [route.id, service.id])
      assert.deepEqual([entry.client_ip, entry.source, entry.upstream_status], ['127.0.0.1', 'upstream', '200'])
      assert.deepEqual(Object.keys(entry.latencies as Json).toSorted(), ['kong', 'proxy', 'receive', 'request'])
    },
  ],
]
