import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { after, before, beforeEach, test } from 'node:test'
import { startTestCluster } from '../../testing/index.ts'
import type { ConfigStore } from '../config/entities.ts'
import { gatewayMigrations } from '../config/migrations.ts'
import { createConfigStore } from '../config/store.ts'
import { plugins } from '../plugins/index.ts'
import { type AdminApi, createAdminApi } from './admin-api.ts'

const NO_CONNECTIONS = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }
const INFO = { version: '3.9.1', nodeId: randomUUID(), hostname: 'test', connections: () => NO_CONNECTIONS }

type Fields = Record<string, unknown>
type Reply = { status: number; body: Fields; headers: Headers }

let testCluster: Awaited<ReturnType<typeof startTestCluster>>
let store: ConfigStore
let admin: AdminApi
let base = ''

before(async () => {
  testCluster = await startTestCluster({ shards: 1, migrations: [gatewayMigrations] })
  store = createConfigStore({ cluster: testCluster.cluster, plugins })
  await store.start()
  admin = createAdminApi({ store, plugins, info: INFO })
  base = `http://127.0.0.1:${(await admin.listen({ host: '127.0.0.1', port: 0 })).port}`
})

after(async () => {
  const stop = { deadlineAtMs: Date.now() + 5_000 }
  await admin?.close(stop)
  await store?.stop(stop)
  await testCluster?.stop()
})

beforeEach(async () => {
  for (const kind of ['plugins', 'routes', 'services', 'keyauth_credentials', 'consumers']) {
    const { entities } = await store.page(kind, { size: 1000 })
    for (const entity of entities) await store.delete(kind, String(entity.id))
  }
})

async function call(method: string, path: string, body?: Fields | URLSearchParams | FormData): Promise<Reply> {
  const json = body !== undefined && !(body instanceof URLSearchParams) && !(body instanceof FormData)
  const response = await fetch(base + path, {
    method,
    ...(body !== undefined && { body: json ? JSON.stringify(body) : (body as URLSearchParams) }),
    ...(json && { headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : JSON.parse(text), headers: response.headers }
}

async function add(path: string, body: Fields): Promise<Fields> {
  const reply = await call('POST', path, body)
  assert.equal(reply.status, 201, JSON.stringify(reply.body))
  return reply.body
}

const idOf = (entity: Fields) => String(entity.id)

test("curl's rate-limiting form answers 201 with the full configuration", async () => {
  await add('/services', { name: 'order-service', host: 'order-service' })
  const form = new URLSearchParams('name=rate-limiting&config.minute=100&config.policy=local&config.limit_by=ip')
  const { status, body, headers } = await call('POST', '/services/order-service/plugins', form)
  assert.equal(status, 201)
  const config = body.config as Fields
  assert.deepEqual(
    [config.minute, config.policy, config.limit_by, config.second, config.error_code, config.fault_tolerant],
    [100, 'local', 'ip', null, 429, true],
  )
  assert.equal((config.redis as Fields).port, config.redis_port)
  assert.deepEqual([body.route, body.consumer, body.enabled], [null, null, true])
  assert.equal(headers.get('content-type'), 'application/json; charset=utf-8')
  assert.match(headers.get('x-kong-admin-latency') ?? '', /^\d+$/)
  assert.equal(headers.get('server'), 'kong/3.9.1')
})

test('the snapshot has a write as soon as the write is answered', async () => {
  const seen: number[] = []
  const unsubscribe = store.subscribe((config) => seen.push(config.plugins.length))
  const plugin = await add('/plugins', { name: 'key-auth' })
  assert.deepEqual(store.snapshot().plugins.map(idOf), [plugin.id])
  assert.equal((await call('DELETE', `/plugins/${plugin.id}`)).status, 204)
  assert.deepEqual(store.snapshot().plugins, [])
  unsubscribe()
  assert.deepEqual([seen.includes(1), seen.at(-1)], [true, 0])
})

test('what rate-limiting cannot do is refused, and redis needs to know where', async () => {
  const refused = [
    [{ policy: 'cluster' }, /policy 'cluster' is not available/],
    [{ policy: 'redis' }, /host = "required field missing"/],
    [{ policy: 'redis', redis_host: 'localhost', sync_rate: 1 }, /only -1 is available/],
    [{ minute: 0.5, window_type: 'sliding' }, /must be at least 1/],
  ] as const
  for (const [config, message] of refused) {
    const { status, body } = await call('POST', '/plugins', { name: 'rate-limiting', config: { minute: 1, ...config } })
    assert.equal(status, 400)
    assert.match(String(body.message), message)
  }
})

test('services and routes come back complete', async () => {
  const service = await add('/services', { name: 'shop', url: 'http://example.com:8080/api' })
  assert.deepEqual([service.protocol, service.host, service.port, service.path], ['http', 'example.com', 8080, '/api'])
  const form = new URLSearchParams('name=r&paths[]=/a&paths[]=/b&strip_path=false&methods=GET')
  const { status, body: route } = await call('POST', '/services/shop/routes', form)
  assert.equal(status, 201)
  const { id, created_at, updated_at, ...rest } = route
  assert.ok(Number.isInteger(created_at) && Number.isInteger(updated_at) && typeof id === 'string')
  assert.deepEqual(rest, {
    name: 'r',
    protocols: ['http', 'https'],
    methods: ['GET'],
    hosts: null,
    paths: ['/a', '/b'],
    headers: null,
    snis: null,
    sources: null,
    destinations: null,
    https_redirect_status_code: 426,
    regex_priority: 0,
    strip_path: false,
    path_handling: 'v0',
    preserve_host: false,
    request_buffering: true,
    response_buffering: true,
    tags: null,
    service: { id: service.id },
  })
})

test('multipart forms are read like other forms', async () => {
  const form = new FormData()
  form.set('name', 'shop')
  form.set('host', 'example.com')
  form.set('port', '81')
  const { status, body } = await call('POST', '/services', form)
  assert.deepEqual([status, body.port], [201, 81])
})

test('PUT creates, and replaces whole: what is left out goes back to its default', async () => {
  const made = await call('PUT', '/services/shop', { host: 'a', retries: 9 })
  assert.deepEqual([made.status, made.body.name, made.body.retries], [200, 'shop', 9])
  const replaced = await call('PUT', '/services/shop', { host: 'b' })
  assert.deepEqual([replaced.body.id, replaced.body.host, replaced.body.retries], [made.body.id, 'b', 5])
  const id = randomUUID()
  const byId = await call('PUT', `/services/${id}`, { name: 'other', host: 'c', created_at: 1_700_000_000 })
  assert.deepEqual([byId.status, byId.body.id, byId.body.created_at], [200, id, 1_700_000_000])
})

test('PATCH merges records and leaves the rest alone', async () => {
  const plugin = await add('/plugins', {
    name: 'rate-limiting',
    config: { minute: 10, policy: 'local', limit_by: 'ip' },
  })
  const { status, body } = await call('PATCH', `/plugins/${plugin.id}`, new URLSearchParams('config.minute=5'))
  const config = body.config as Fields
  assert.deepEqual([status, config.minute, config.limit_by], [200, 5, 'ip'])
  const patched = await call('PATCH', `/plugins/${plugin.id}`, { config: { hour: 1 } })
  assert.equal(patched.status, 400)
  assert.deepEqual(patched.body.fields, {
    config: 'The limit for hour(1.0) cannot be lower than the limit for minute(5.0)',
  })
})

test('DELETE answers 204 for what is not there too; GET and PATCH answer 404', async () => {
  for (const key of ['nobody', randomUUID(), '%00']) {
    assert.equal((await call('DELETE', `/consumers/${key}`)).status, 204)
    for (const [method, body] of [['GET'], ['PATCH', { tags: [] }]] as const) {
      const reply = await call(method, `/consumers/${key}`, body)
      assert.deepEqual([reply.status, reply.body], [404, { message: 'Not found' }])
    }
  }
})

test('a nested entity is found only below its own parent', async () => {
  await add('/services', { name: 'a', host: 'a' })
  await add('/services', { name: 'b', host: 'b' })
  const route = await add('/services/a/routes', { name: 'r', paths: ['/r'] })
  assert.equal((await call('GET', `/services/a/routes/r`)).body.id, route.id)
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
    const body = method === 'PUT' || method === 'PATCH' ? { paths: ['/x'] } : undefined
    assert.equal((await call(method, `/services/b/routes/${route.id}`, body)).status, 404, method)
  }
  assert.equal((await call('GET', '/services/nope/routes')).status, 404)
  assert.equal((await call('POST', '/services/nope/routes', { paths: ['/x'] })).status, 404)
})

test('the service of a route is reached through the route', async () => {
  const route = await add('/routes', { name: 'r', paths: ['/r'] })
  assert.equal((await call('GET', '/routes/r/service')).status, 404)
  const made = await call('PUT', '/routes/r/service', { host: 'a', name: 'a' })
  assert.equal(made.status, 200)
  assert.deepEqual((await call('GET', `/routes/${route.id}`)).body.service, { id: made.body.id })
  assert.equal((await call('PATCH', '/routes/r/service', { port: 81 })).body.port, 81)
  assert.equal((await call('GET', '/routes/r/service')).body.port, 81)
  assert.equal((await call('DELETE', '/routes/r/service')).status, 405)
})

test('credentials have flat and nested names', async () => {
  const bob = await add('/consumers', { username: 'bob', custom_id: 'c-1' })
  const { body: made } = await call('POST', '/consumers/bob/key-auth')
  assert.match(String(made.key), /^[a-zA-Z0-9]{32}$/)
  assert.deepEqual([made.consumer, made.ttl, made.tags], [{ id: bob.id }, null, null])
  const second = await add('/consumers/bob/key-auth', { key: 'mine' })
  assert.equal((await call('GET', '/key-auths/mine')).body.id, second.id)
  assert.equal((await call('GET', '/key-auths/mine/consumer')).body.id, bob.id)
  assert.equal(((await call('GET', '/consumers/bob/key-auth')).body.data as []).length, 2)
  const id = randomUUID()
  assert.equal((await call('PUT', `/consumers/bob/key-auth/${id}`, { key: 'third' })).body.id, id)
  assert.equal((await call('DELETE', `/consumers/bob/key-auth/${id}`)).status, 204)
  assert.deepEqual((await call('GET', '/consumers?custom_id=c-1')).body, { data: [bob], next: null })
  assert.deepEqual((await call('GET', '/consumers?custom_id=nope')).body, { data: [], next: null })
})

test('unique values are unique, 409', async () => {
  await add('/consumers', { username: 'bob' })
  const again = await call('POST', '/consumers', { username: 'bob' })
  assert.deepEqual(
    [again.status, again.body],
    [
      409,
      {
        code: 5,
        name: 'unique constraint violation',
        message: `UNIQUE violation detected on '{username="bob"}'`,
        fields: { username: 'bob' },
      },
    ],
  )
  assert.equal(store.snapshot().consumers.length, 1)
  const { id } = await add('/services', { name: 'shop', host: 'a' })
  await add('/services/shop/plugins', { name: 'key-auth' })
  const plugin = await call('POST', '/services/shop/plugins', { name: 'key-auth' })
  assert.equal(plugin.status, 409)
  assert.deepEqual(plugin.body.fields, { name: 'key-auth', route: null, service: { id }, consumer: null })
  assert.equal(
    plugin.body.message,
    `UNIQUE violation detected on '{consumer=null,name="key-auth",route=null,service={id="${id}"}}'`,
  )
  const sameId = await call('POST', '/services', { id, name: 'x', host: 'a' })
  assert.deepEqual([sameId.status, sameId.body.code], [400, 3])
})

test('a name that was given up can be taken', async () => {
  await add('/consumers', { username: 'bob' })
  assert.equal((await call('PATCH', '/consumers/bob', { username: 'alice' })).status, 200)
  await add('/consumers', { username: 'bob' })
  assert.equal((await call('PATCH', '/consumers/alice', { username: 'bob' })).status, 409)
})

test('a parent that does not exist is refused, by id and by name', async () => {
  const id = randomUUID()
  const byId = await call('POST', '/routes', { paths: ['/a'], service: { id } })
  assert.deepEqual(
    [byId.status, byId.body],
    [
      400,
      {
        code: 4,
        name: 'foreign key violation',
        message: `the foreign key '{id="${id}"}' does not reference an existing 'services' entity.`,
        fields: { service: { id } },
      },
    ],
  )
  const byName = await call('POST', '/routes', new URLSearchParams('paths=/a&service.name=x'))
  const reason = `the foreign key cannot be resolved with '{name="x"}' for an existing 'services' entity`
  assert.deepEqual(
    [byName.status, byName.body],
    [
      400,
      {
        code: 13,
        name: 'foreign keys unresolved',
        message: `foreign key unresolved (service.name: ${reason})`,
        fields: { service: { name: reason } },
      },
    ],
  )
})

test('a parent is given by name as well as by id', async () => {
  const service = await add('/services', { name: 'shop', host: 'a' })
  const route = await add('/routes', { paths: ['/a'], service: { name: 'shop' } })
  assert.deepEqual(route.service, { id: service.id })
})

test('a service with routes stays; plugins and credentials go with what they belong to', async () => {
  await add('/services', { name: 'shop', host: 'a' })
  await add('/services/shop/routes', { name: 'r', paths: ['/r'] })
  await add('/services/shop/plugins', { name: 'correlation-id' })
  await add('/routes/r/plugins', { name: 'key-auth' })
  const refused = await call('DELETE', '/services/shop')
  assert.deepEqual(
    [refused.status, refused.body],
    [
      400,
      {
        code: 4,
        name: 'foreign key violation',
        message: "an existing 'routes' entity references this 'services' entity",
        fields: { '@referenced_by': 'routes' },
      },
    ],
  )
  await add('/consumers', { username: 'bob' })
  await add('/consumers/bob/key-auth', {})
  await add('/consumers/bob/plugins', { name: 'rate-limiting', config: { minute: 1, policy: 'local' } })
  assert.equal(store.snapshot().plugins.length, 3)
  for (const path of ['/consumers/bob', '/routes/r', '/services/shop']) {
    assert.equal((await call('DELETE', path)).status, 204, path)
  }
  const { services, routes, consumers, keyAuthCredentials, plugins: left } = store.snapshot()
  assert.deepEqual(
    { services, routes, consumers, keyAuthCredentials, left },
    {
      services: [],
      routes: [],
      consumers: [],
      keyAuthCredentials: [],
      left: [],
    },
  )
})

test('lists page by id and say how to go on', async () => {
  for (let index = 0; index < 5; index++) await add('/services', { name: `s${index}`, host: 'a', tags: ['t'] })
  const ids: string[] = []
  let path: string | null = '/services?size=2&tags=t'
  let pages = 0
  while (path !== null) {
    const { status, body }: Reply = await call('GET', path)
    assert.equal(status, 200)
    ids.push(...(body.data as Fields[]).map(idOf))
    assert.equal('offset' in body, body.next !== null)
    if (body.next !== null) assert.match(String(body.next), /^\/services\?offset=[^&]+&size=2&tags=t$/)
    path = body.next as string | null
    pages++
  }
  assert.deepEqual([ids.length, pages], [5, 3])
  assert.deepEqual(ids, [...new Set(ids)].sort())
  assert.deepEqual((await call('GET', '/routes')).body, { data: [], next: null })
  const nested = await call('GET', '/services/s0/routes?size=1')
  assert.deepEqual(nested.body, { data: [], next: null })
})

test('bad sizes, offsets and tag filters are refused as in Kong', async () => {
  for (const [query, code, message] of [
    ['size=x', 9, 'size must be a number'],
    ['size=0', 9, 'size must be an integer between 1 and 1000'],
    ['size=1001', 9, 'size must be an integer between 1 and 1000'],
    ['offset=x%20y', 7, "'x y' is not a valid offset: bad base64 encoding"],
    ['offset=x', 7, "'x' is not a valid offset: bad base64 encoding"],
    ['offset=eHh4', 7, "'eHh4' is not a valid offset: bad offset token"],
    ['tags=', 11, 'invalid option (tags: cannot be null)'],
    ['tags=a,b/c', 11, 'invalid option (tags: invalid filter syntax)'],
  ] as const) {
    const { status, body } = await call('GET', `/services?${query}`)
    assert.deepEqual([status, body.code, body.message], [400, code, message])
  }
})

test('tags filter by all or by any', async () => {
  await add('/consumers', { username: 'ab', tags: ['a', 'b'] })
  await add('/consumers', { username: 'a', tags: ['a'] })
  await add('/consumers', { username: 'none' })
  const names = async (tags: string) => {
    const { body } = await call('GET', `/consumers?tags=${tags}`)
    return (body.data as Fields[]).map((consumer) => consumer.username).sort()
  }
  assert.deepEqual(await names('a,b'), ['ab'])
  assert.deepEqual(await names('a/b'), ['a', 'ab'])
  assert.deepEqual(await names('c'), [])
})

test('bodies that cannot be read are refused before anything else', async () => {
  const send = async (body: string, type?: string) => {
    const headers = type === undefined ? undefined : { 'content-type': type }
    const response = await fetch(`${base}/services`, {
      method: 'POST',
      body: Buffer.from(body),
      ...(headers && { headers }),
    })
    return [response.status, await response.json()]
  }
  const unparsable = [400, { message: 'Cannot parse JSON body' }]
  assert.deepEqual(await send('{"name"', 'application/json'), unparsable)
  assert.deepEqual(await send('', 'application/json'), unparsable)
  assert.deepEqual(await send('[]', 'application/json'), unparsable)
  assert.equal((await send('<a/>', 'application/xml'))[0], 415)
  assert.equal((await send('x'))[0], 415)
  assert.equal((await send('x', 'multipart/form-data; boundary=b'))[0], 400)
  assert.equal((await send(`{"name":"${'x'.repeat(1_100_000)}"}`, 'application/json'))[0], 413)
  assert.equal((await call('POST', '/services')).body.message, 'schema violation (host: required field missing)')
})

test('JSON values are not coerced', async () => {
  const { body } = await call('POST', '/services', { host: 'a', port: '80' })
  assert.deepEqual(body.fields, { port: 'expected an integer' })
})

test('unknown paths are 404, wrong verbs 405, a trailing slash is tolerated', async () => {
  for (const path of [
    '/nope',
    '/services/a/b/c/d',
    '/targets',
    '/vaults',
    '/upstreams/x',
    '/plugins/enabled/x',
    '/%zz',
  ]) {
    const { status, body } = await call('GET', path)
    assert.deepEqual([status, body], [404, { message: 'Not found' }], path)
  }
  for (const [method, path] of [
    ['DELETE', '/services'],
    ['PUT', '/services'],
    ['POST', '/services/x'],
    ['POST', '/'],
  ] as const) {
    const { status, body } = await call(method, path)
    assert.deepEqual([status, body], [405, { message: 'Method not allowed' }], path)
  }
  assert.equal((await call('GET', '/services/')).status, 200)
})

test('OPTIONS names the verbs, HEAD answers like GET without a body', async () => {
  const collection = await call('OPTIONS', '/services')
  assert.deepEqual([collection.status, collection.headers.get('allow')], [204, 'GET, HEAD, OPTIONS, POST'])
  const item = await call('OPTIONS', '/services/x')
  assert.equal(item.headers.get('access-control-allow-methods'), 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT')
  const head = await call('HEAD', '/services')
  assert.deepEqual([head.status, head.body, Number(head.headers.get('content-length')) > 0], [200, {}, true])
})

test('ten writers at once all succeed, and one of them wins a contested name', async () => {
  const made = await Promise.all(
    Array.from({ length: 10 }, (_, index) =>
      call('PUT', `/services/${randomUUID()}`, { name: `s${index}`, host: 'a' }),
    ),
  )
  assert.deepEqual(
    made.map(({ status }) => status),
    Array(10).fill(200),
  )
  assert.equal(store.snapshot().services.length, 10)
  const contested = await Promise.all(Array.from({ length: 10 }, () => call('POST', '/consumers', { username: 'bob' })))
  assert.deepEqual(contested.map(({ status }) => status).sort(), [201, ...Array(9).fill(409)])
  const replaced = await Promise.all(Array.from({ length: 10 }, () => call('PUT', '/services/new', { host: 'a' })))
  assert.deepEqual([...new Set(replaced.map(({ status, body }) => `${status} ${body.id}`))].length, 1)
  const patched = await Promise.all(
    Array.from({ length: 10 }, (_, index) => call('PATCH', '/services/s0', { tags: [`t${index}`], port: index + 1 })),
  )
  const last = (await call('GET', '/services/s0')).body
  assert.ok(patched.every(({ status }) => status === 200))
  assert.deepEqual(last.tags, [`t${Number(last.port) - 1}`])
})

test('the node, its plugins and its schemas describe themselves', async () => {
  const { body: node } = await call('GET', '/')
  assert.deepEqual([node.version, node.tagline, node.node_id], ['3.9.1', 'Welcome to kong', INFO.nodeId])
  const enabled = (await call('GET', '/plugins/enabled')).body.enabled_plugins as string[]
  for (const name of ['correlation-id', 'key-auth', 'rate-limiting']) assert.ok(enabled.includes(name))
  const { body: status } = await call('GET', '/status')
  assert.deepEqual(status.database, { reachable: true })
  const { body: schema } = await call('GET', '/schemas/services')
  const fields = schema.fields as Record<string, Fields>[]
  assert.equal(fields.find((field) => 'retries' in field)?.retries?.default, 5)
  for (const name of enabled) {
    for (const path of [`/schemas/plugins/${name}`, `/plugins/schema/${name}`]) {
      const { body } = await call('GET', path)
      assert.ok((body.fields as Fields[]).some((field) => 'config' in field))
    }
  }
  assert.deepEqual((await call('GET', '/schemas/nope')).body, { message: "No entity named 'nope'" })
  assert.deepEqual((await call('GET', '/schemas/plugins/nope')).body, { message: "No plugin named 'nope'" })
  const { body: endpoints } = await call('GET', '/endpoints')
  const paths = endpoints.data as string[]
  for (const path of ['/consumers/{consumers}/key-auth', '/routes/{routes}/service', '/schemas/{name}']) {
    assert.ok(paths.includes(path), path)
  }
})

test('a body is validated without being stored', async () => {
  const good = await call('POST', '/schemas/consumers/validate', { username: 'bob' })
  assert.deepEqual([good.status, good.body], [200, { message: 'schema validation successful' }])
  const bad = await call('POST', '/schemas/plugins/validate', { name: 'nope' })
  assert.deepEqual([bad.status, bad.body.code], [400, 2])
  assert.equal(store.snapshot().consumers.length, 0)
})

test('every endpoint that is listed answers', async () => {
  const { body } = await call('GET', '/endpoints')
  for (const path of body.data as string[]) {
    const { headers } = await call('OPTIONS', path.replaceAll(/\{\w+\}/g, 'services'))
    assert.match(headers.get('allow') ?? '', /OPTIONS/, path)
  }
})

/** fetch does not let a test choose Host and Origin. */
function rawGet(port: number, headers: Record<string, string>): Promise<{ status: number | undefined; cors: unknown }> {
  return new Promise((resolve, reject) => {
    httpRequest({ port, host: '127.0.0.1', path: '/status', headers }, (response) => {
      response.resume()
      resolve({ status: response.statusCode, cors: response.headers['access-control-allow-origin'] })
    })
      .on('error', reject)
      .end()
  })
}

test('without a token, pages from elsewhere are refused', async () => {
  const port = Number(new URL(base).port)
  const status = async (headers: Record<string, string>) => (await rawGet(port, headers)).status
  assert.equal(await status({ host: `localhost:${port}` }), 200)
  assert.equal(await status({ host: `[::1]:${port}` }), 200)
  assert.equal(await status({ host: 'attacker.example' }), 403)
  assert.equal(await status({ host: '127.0.0.1.attacker.example' }), 403)
  assert.equal(await status({ origin: 'https://attacker.example' }), 403)
  assert.equal(await status({ origin: 'null' }), 403)
  assert.deepEqual(await rawGet(port, { origin: 'http://localhost:8002' }), {
    status: 200,
    cors: 'http://localhost:8002',
  })
})

test('listening beyond loopback needs a token, which every request must then carry', async () => {
  await assert.rejects(createAdminApi({ store, plugins, info: INFO }).listen({ host: '0.0.0.0', port: 0 }), {
    code: 'GATEWAY_ADMIN_TOKEN_REQUIRED',
  })
  const guarded = createAdminApi({ store, plugins, info: INFO, token: 'secret' })
  const { port } = await guarded.listen({ host: '127.0.0.1', port: 0 })
  const status = async (headers: Record<string, string>) => (await rawGet(port, headers)).status
  assert.equal(await status({}), 401)
  assert.equal(await status({ 'kong-admin-token': 'wrong' }), 401)
  assert.equal(await status({ 'kong-admin-token': 'secret', host: 'gateway.internal' }), 200)
  assert.equal(await status({ authorization: 'Bearer secret' }), 200)
  await guarded.close({ deadlineAtMs: Date.now() + 5_000 })
})
