import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { startTestCluster } from '../../testing/index.ts'
import type { ConfigStore } from '../config/entities.ts'
import { gatewayMigrations } from '../config/migrations.ts'
import { createConfigStore } from '../config/store.ts'
import { plugins } from '../plugins/index.ts'
import { type AdminApi, createAdminApi } from './admin-api.ts'

/**
 * Kong's contract as a table: a request, its status, and what its body must contain. Every case has the same services
 * before it, `a`, `b` and `c`, and changes nothing of them.
 */
const NO_CONNECTIONS = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }
const INFO = { version: '3.9.1', nodeId: randomUUID(), hostname: 'test', connections: () => NO_CONNECTIONS }
const NOT_FOUND = { message: 'Not found' }
const NOT_ALLOWED = { message: 'Method not allowed' }
const VALID = { message: 'schema validation successful' }

const optionError = (reason: string) => ({
  code: 11,
  name: 'invalid options',
  message: `invalid option (tags: ${reason})`,
  options: { tags: reason },
})

type Case = readonly [request: string, status: number, body?: unknown, sent?: unknown]

const CASES: readonly Case[] = [
  ['GET /services/', 200],
  ['GET /nothing', 404, NOT_FOUND],
  ['GET /services/a/nothing', 404, NOT_FOUND],
  ['GET /services/a/routes/none', 404, NOT_FOUND],
  ['GET /services//routes', 404, NOT_FOUND],
  ['GET /services/none', 404, NOT_FOUND],
  ['GET /services/none/routes', 404, NOT_FOUND],
  ['PATCH /services/none', 404, NOT_FOUND, { host: 'x' }],
  ['DELETE /services/none', 204],
  ['PUT /services', 405, NOT_ALLOWED, {}],
  ['PATCH /services', 405, NOT_ALLOWED, {}],
  ['DELETE /services', 405, NOT_ALLOWED],
  ['POST /services/a', 405, NOT_ALLOWED, {}],
  ['POST /tags', 405, NOT_ALLOWED, {}],
  ['GET /services?size=x', 400, { code: 9, name: 'invalid size', message: 'size must be a number' }],
  ['GET /services?size=0', 400, { message: 'size must be an integer between 1 and 1000' }],
  ['GET /services?size=1001', 400, { message: 'size must be an integer between 1 and 1000' }],
  ['GET /services?size=1.5', 400, { message: 'size must be an integer between 1 and 1000' }],
  ['GET /services?offset=x!', 400, { code: 7, message: "'x!' is not a valid offset: bad base64 encoding" }],
  ['GET /tags?offset=x!', 400, { code: 7, message: "'x!' is not a valid offset: bad base64 encoding" }],
  ['GET /tags?size=x', 400, { code: 9, message: 'size must be a number' }],
  ['GET /services?unknown=1', 200],
  ['GET /services?tags=', 400, optionError('cannot be null')],
  ['GET /services?tags=a,b/c', 400, optionError('invalid filter syntax')],
  ['GET /services?tags=none', 200, { data: [], next: null }],
  ['GET /services/a/routes?tags=', 200, { data: [], next: null }],
  ['GET /consumers?custom_id=none', 200, { data: [], next: null }],
  ['GET /tags/none', 200, { data: [], next: null }],
  ['GET /schemas/none', 404, { message: "No entity named 'none'" }],
  ['GET /schemas/plugins/none', 404, { message: "No plugin named 'none'" }],
  ['GET /plugins/schema/none', 404, { message: "No plugin named 'none'" }],
  ['POST /schemas/none/validate', 404, { message: "No entity named 'none'" }, {}],
  ['POST /schemas/services/validate', 200, VALID, { host: 'x' }],
  ['POST /schemas/services/validate', 400, { code: 2, fields: { host: 'required field missing' } }, {}],
  ['POST /schemas/plugins/validate', 200, VALID, { name: 'key-auth' }],
  ['POST /schemas/plugins/validate', 400, { code: 2 }, { name: 'rate-limiting', config: { minute: '5' } }],
  [
    'POST /schemas/plugins/validate',
    400,
    { message: /plugin 'none' not enabled; add it to the 'plugins'/ },
    { name: 'none' },
  ],
  ['GET /config', 400, { message: /only available when Kong is configured to not use a database/ }],
  ['POST /config', 400, { message: /only available when Kong is configured to not use a database/ }, {}],
  [
    'POST /services',
    400,
    { message: '2 schema violations (host: required field missing; port: expected an integer)' },
    { port: 'x' },
  ],
  [
    'POST /services',
    409,
    { code: 5, fields: { name: 'a' }, message: `UNIQUE violation detected on '{name="a"}'` },
    { name: 'a', host: 'x' },
  ],
  ['POST /routes', 400, { code: 2 }, { name: 'r', paths: ['/r'], service: { id: 'x' } }],
  ['POST /routes', 400, { code: 13, name: 'foreign keys unresolved' }, { paths: ['/r'], service: { name: 'none' } }],
  ['HEAD /services', 200],
  ['HEAD /services/none', 404],
]

let testCluster: Awaited<ReturnType<typeof startTestCluster>>
let store: ConfigStore
let admin: AdminApi
let base = ''
const tagged: Record<string, string> = {}

before(async () => {
  testCluster = await startTestCluster({ shards: 1, migrations: [gatewayMigrations] })
  store = createConfigStore({ cluster: testCluster.cluster, plugins })
  await store.start()
  admin = createAdminApi({ store, plugins, info: INFO })
  base = `http://127.0.0.1:${(await admin.listen({ host: '127.0.0.1', port: 0 })).port}`
  for (const [name, tags] of [
    ['a', ['blue', 'red']],
    ['b', ['red']],
    ['c', ['green']],
  ] as const) {
    const { body } = await call('POST', '/services', { name, host: name, tags })
    tagged[name] = String(body.id)
  }
})

after(async () => {
  const stop = { deadlineAtMs: Date.now() + 5_000 }
  await admin?.close(stop)
  await store?.stop(stop)
  await testCluster?.stop()
})

async function call(method: string, path: string, sent?: unknown) {
  const response = await fetch(base + path, {
    method,
    ...(sent !== undefined && { headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(sent) }),
  })
  const text = await response.text()
  const body = (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>
  return { status: response.status, body, headers: response.headers, isEmpty: text === '' }
}

for (const [request, status, expected = {}, sent] of CASES) {
  test(`${request}${sent === undefined ? '' : ` ${JSON.stringify(sent)}`} → ${status}`, async () => {
    const [method = '', path = ''] = request.split(' ')
    const reply = await call(method, path, sent)
    assert.equal(reply.status, status, JSON.stringify(reply.body))
    if (status !== 204 && method !== 'HEAD') {
      assert.equal(reply.headers.get('content-type'), 'application/json; charset=utf-8')
    }
    for (const [field, value] of Object.entries(expected as object)) {
      if (value instanceof RegExp) assert.match(String(reply.body[field]), value)
      else assert.deepEqual(reply.body[field], value, field)
    }
  })
}

const namesAt = async (path: string) =>
  ((await call('GET', path)).body.data as { name: string }[])
    .map(({ name }) => name)
    .toSorted()
    .join('')

test('tags filter by all of them with a comma, by any with a slash', async () => {
  assert.equal(await namesAt('/services?tags=red'), 'ab')
  assert.equal(await namesAt('/services?tags=red,blue'), 'a')
  assert.equal(await namesAt('/services?tags=blue/green'), 'ac')
})

test('pages lead to each other by next and by offset, with size and tags, and end with null', async () => {
  const seen: string[] = []
  let path: string | null = '/services?size=1&tags=red'
  while (path !== null) {
    const { body } = await call('GET', path)
    seen.push(...(body.data as { name: string }[]).map(({ name }) => name))
    path = body.next as string | null
    assert.equal(path === null, body.offset === undefined)
    if (path !== null) assert.match(path, /^\/services\?offset=[^&]+&size=1&tags=red$/)
  }
  assert.deepEqual(seen.toSorted(), ['a', 'b'])
})

test('tags list what has them, page by page', async () => {
  const entry = (tag: string, name: string) => ({ tag, entity_name: 'services', entity_id: tagged[name] })
  const red = [entry('red', 'a'), entry('red', 'b')].toSorted((x, y) =>
    String(x.entity_id) < String(y.entity_id) ? -1 : 1,
  )
  assert.deepEqual((await call('GET', '/tags/red')).body, { data: red, next: null })
  assert.deepEqual((await call('GET', '/tags')).body.data, [entry('blue', 'a'), entry('green', 'c'), ...red])
  const first = await call('GET', '/tags?size=3')
  assert.equal((first.body.data as unknown[]).length, 3)
  assert.match(String(first.body.next), /^\/tags\?offset=[^&]+&size=3$/)
  assert.deepEqual((await call('GET', String(first.body.next))).body, { data: [red[1]], next: null })
})

test('OPTIONS names what an endpoint takes, HEAD has the head of GET and no body', async () => {
  const list = await call('OPTIONS', '/services')
  assert.deepEqual([list.status, list.headers.get('allow')], [204, 'GET, HEAD, OPTIONS, POST'])
  const item = await call('OPTIONS', '/services/a')
  assert.equal(item.headers.get('allow'), 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT')
  assert.equal(item.headers.get('access-control-allow-methods'), item.headers.get('allow'))
  assert.equal(item.headers.get('access-control-allow-headers'), 'Content-Type')
  const head = await call('HEAD', '/services/a')
  assert.deepEqual([head.status, head.isEmpty], [200, true])
  assert.match(head.headers.get('content-length') ?? '', /^\d+$/)
})

test('every endpoint that is listed is there, and every plugin that is enabled has a schema', async () => {
  const { data } = (await call('GET', '/endpoints')).body as { data: string[] }
  assert.deepEqual(data, data.toSorted())
  for (const path of [
    '/services/{services}/routes/{routes}',
    '/tags',
    '/tags/{tags}',
    '/config',
    '/schemas/{name}/validate',
  ]) {
    assert.ok(data.includes(path), path)
  }
  const { enabled_plugins } = (await call('GET', '/plugins/enabled')).body as { enabled_plugins: string[] }
  assert.ok(enabled_plugins.includes('http-log'))
  for (const name of enabled_plugins) {
    const { status, body } = await call('GET', `/schemas/plugins/${name}`)
    assert.deepEqual([status, Array.isArray(body.fields)], [200, true], name)
  }
})
