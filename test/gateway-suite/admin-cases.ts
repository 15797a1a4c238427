import assert from 'node:assert/strict'
import type { Case } from './case.ts'
import type { Json, World } from './world.ts'

const NOT_FOUND = { message: 'Not found' }
const NOT_ALLOWED = { message: 'Method not allowed' }
const VALID = { message: 'schema validation successful' }
const ONLY_WITHOUT_DATABASE = { message: /only available when Kong is configured to not use a database/ }
const FORM = 'application/x-www-form-urlencoded'

const optionError = (reason: string) => ({
  code: 11,
  name: 'invalid options',
  message: `invalid option (tags: ${reason})`,
  options: { tags: reason },
})

/** A request, its status, what its body must contain, and what is sent. Nothing of it needs or changes an entity. */
type Row = readonly [request: string, status: number, body?: object, sent?: unknown]

const ROWS: readonly Row[] = [
  ['GET /services/', 200],
  ['HEAD /services', 200],
  ['HEAD /services/none', 404],
  ['GET /nothing', 404, NOT_FOUND],
  ['GET /services//routes', 404, NOT_FOUND],
  ['GET /services/none', 404, NOT_FOUND],
  ['GET /services/none/routes', 404, NOT_FOUND],
  ['PATCH /services/none', 404, NOT_FOUND, { host: 'x' }],
  ['DELETE /services/none', 204],
  ['PUT /services', 405, NOT_ALLOWED, {}],
  ['PATCH /services', 405, NOT_ALLOWED, {}],
  ['DELETE /services', 405, NOT_ALLOWED],
  ['POST /services/none', 405, NOT_ALLOWED, {}],
  ['POST /tags', 405, NOT_ALLOWED, {}],
  ['GET /targets', 404, NOT_FOUND],
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
  ['POST /plugins', 400, { message: /plugin 'none' not enabled; add it to the 'plugins'/ }, { name: 'none' }],
  ['GET /config', 400, ONLY_WITHOUT_DATABASE],
  ['POST /config', 400, ONLY_WITHOUT_DATABASE, {}],
  [
    'POST /services',
    400,
    { message: '2 schema violations (host: required field missing; port: expected an integer)' },
    { port: 'x' },
  ],
  ['POST /services', 400, { message: 'Cannot parse JSON body' }, '{'],
  ['POST /services', 400, { message: 'Cannot parse JSON body' }, ''],
  ['POST /services', 400, { message: /port: value should be between 0 and 65535/ }, { host: 'x', port: 65_536 }],
  ['POST /services', 400, { fields: { surprise: 'unknown field' } }, { host: 'x', surprise: 1 }],
  ['POST /services', 400, { message: /protocol: expected one of: / }, { host: 'x', protocol: 'gopher' }],
  ['POST /routes', 400, { code: 2 }, { name: 'r', paths: ['/r'], service: { id: 'x' } }],
  ['POST /routes', 400, { code: 2, message: /must set one of 'methods', 'hosts', 'headers', 'paths'/ }, {}],
  ['POST /routes', 400, { message: /paths.1: should start with: / }, { paths: ['x'] }],
  ['POST /routes', 400, { code: 13, name: 'foreign keys unresolved' }, { paths: ['/r'], service: { name: 'none' } }],
  ['POST /consumers', 400, { code: 2, message: /at least one of these fields must be non-empty/ }, {}],
  ['POST /upstreams', 400, { code: 2 }, { name: '127.0.0.1' }],
]

const rowCases = ROWS.map(([request, status, expected = {}, sent]): Case => {
  const text = sent === undefined ? '' : ` ${JSON.stringify(sent)}`
  return [
    `${request}${text} → ${status}`,
    async (world) => {
      const [method = '', path = ''] = request.split(' ')
      const answer = await world.admin(method, path, sent)
      assert.equal(answer.status, status, answer.text)
      if (status !== 204 && method !== 'HEAD') {
        assert.equal(answer.headers.get('content-type'), 'application/json; charset=utf-8')
        assert.match(answer.headers.get('x-kong-admin-latency') ?? '', /^\d+$/)
        assert.equal(answer.headers.get('server'), 'kong/3.9.1')
      }
      assertHolds(answer.body, expected)
    },
  ]
})

function assertHolds(body: Json, expected: object): void {
  for (const [field, value] of Object.entries(expected)) {
    if (value instanceof RegExp) assert.match(String(body[field]), value)
    else assert.deepEqual(body[field], value, field)
  }
}

/** Three services with tags that only they have. */
async function tagged(world: World) {
  const tag = (color: string) => `${color}-${world.host}`
  for (const [name, colors] of [
    ['a', ['blue', 'red']],
    ['b', ['red']],
    ['c', ['green']],
  ] as const) {
    await world.add('/services', { name: `${name}.${world.host}`, host: 'x', tags: colors.map(tag) })
  }
  const namesOf = ({ data }: Json) => (data as Json[]).map(({ name }) => String(name).charAt(0)).toSorted()
  return { tag, namesOf }
}

const entityCases: readonly Case[] = [
  [
    'curl’s form answers 201 with the whole configuration, its texts typed by the schema',
    async (world) => {
      const { service } = await world.route()
      const form = 'name=rate-limiting&config.minute=100&config.policy=local&config.limit_by=ip'
      const { status, body } = await world.adminAs(FORM, `POST /services/${service.id}/plugins`, form)
      world.removeLater(`/plugins/${body.id}`)
      assert.equal(status, 201)
      assertHolds(body, { name: 'rate-limiting', enabled: true, service: { id: service.id }, route: null })
      assertHolds(body.config as Json, { minute: 100, hour: null, policy: 'local', limit_by: 'ip', error_code: 429 })
      assert.ok(Number.isInteger(body.created_at))
    },
  ],
  [
    'a body of an unknown type is a 415; lists and maps of forms arrive as such',
    async (world) => {
      assert.equal((await world.adminAs('text/yaml', 'POST /services', 'host: x')).status, 415)
      const form = `hosts[]=${world.host}&methods[1]=GET&methods[2]=PUT&headers.x-a=1&tags=one`
      const { status, body } = await world.adminAs(FORM, 'POST /routes', form)
      world.removeLater(`/routes/${body.id}`)
      assert.equal(status, 201)
      assertHolds(body, { methods: ['GET', 'PUT'], headers: { 'x-a': ['1'] }, tags: ['one'], service: null })
    },
  ],
  [
    'PUT creates by name and replaces whole, PATCH merges, DELETE is 204 also for what is gone',
    async (world) => {
      const at = `/services/put.${world.host}`
      world.removeLater(at)
      const created = await world.admin('PUT', at, { host: 'one', retries: 1 })
      assert.equal(created.status, 200)
      assertHolds(created.body, { name: `put.${world.host}`, host: 'one', retries: 1, port: 80, path: null })
      const replaced = await world.admin('PUT', at, { host: 'two' })
      assertHolds(replaced.body, { id: created.body.id, host: 'two', retries: 5 })
      const patched = await world.admin('PATCH', at, { url: 'https://three.example/base' })
      assertHolds(patched.body, { protocol: 'https', host: 'three.example', port: 443, path: '/base', retries: 5 })
      assertHolds((await world.admin('PATCH', at, { path: null })).body, { path: null, host: 'three.example' })
      assert.deepEqual([(await world.admin('DELETE', at)).status, (await world.admin('DELETE', at)).status], [204, 204])
      assert.equal((await world.admin('GET', at)).status, 404)
    },
  ],
  [
    'PATCH leaves alone what it does not name of a plugin’s configuration',
    async (world) => {
      const { plugin } = await world.plugged('rate-limiting', { minute: 5, hour: 50 })
      const { status, body } = await world.admin('PATCH', `/plugins/${plugin.id}`, { config: { minute: 6 } })
      assert.equal(status, 200)
      assertHolds(body.config as Json, { minute: 6, hour: 50 })
    },
  ],
  [
    'what must be unique is a 409, a parent that is not there a 400, a parent that is needed stays',
    async (world) => {
      const username = world.host
      await world.add('/consumers', { username })
      const twice = await world.admin('POST', '/consumers', { username })
      assert.equal(twice.status, 409)
      const message = `UNIQUE violation detected on '{username="${username}"}'`
      assertHolds(twice.body, { code: 5, name: 'unique constraint violation', message, fields: { username } })
      const id = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'
      const orphan = await world.admin('POST', '/routes', { paths: ['/x'], service: { id } })
      const missing = `the foreign key '{id="${id}"}' does not reference an existing 'services' entity.`
      assert.equal(orphan.status, 400)
      assertHolds(orphan.body, { code: 4, name: 'foreign key violation', fields: { service: { id } } })
      assert.ok(String(orphan.body.message).includes(missing), orphan.text)
      const { service } = await world.route()
      const kept = await world.admin('DELETE', `/services/${service.id}`)
      assert.equal(kept.status, 400)
      assertHolds(kept.body, { code: 4, fields: { '@referenced_by': 'routes' } })
    },
  ],
  [
    'nested endpoints are about their parent’s own, credentials go with their consumer, targets with their upstream',
    async (world) => {
      const { service, route } = await world.route()
      const other = await world.add('/services', { host: 'x' })
      assert.equal((await world.admin('GET', `/services/${service.id}/routes/${route.id}`)).status, 200)
      assert.equal((await world.admin('GET', `/services/${other.id}/routes/${route.id}`)).status, 404)
      assert.equal((await world.admin('GET', `/routes/${route.id}/service`)).body.id, service.id)
      assert.equal((await world.admin('DELETE', `/routes/${route.id}/service`)).status, 405)
      const consumer = await world.add('/consumers', { username: world.host })
      for (const [nested, flat, fields] of [
        ['key-auth', 'key-auths', { key: world.host }],
        ['basic-auth', 'basic-auths', { username: world.host, password: 'x' }],
        ['jwt', 'jwts', {}],
        ['acls', 'acls', { group: 'gold' }],
      ] as const) {
        const made = await world.admin('POST', `/consumers/${consumer.id}/${nested}`, fields)
        assert.equal(made.status, 201, made.text)
        assert.equal((await world.admin('GET', `/${flat}/${made.body.id}/consumer`)).body.id, consumer.id)
      }
      await world.admin('DELETE', `/consumers/${consumer.id}`)
      assert.equal((await world.admin('GET', `/key-auths/${world.host}`)).status, 404)
    },
  ],
  [
    'targets: known by id and place, changed but not made by PUT, declared healthy or not with 204',
    async (world) => {
      const upstream = `/upstreams/t.${world.host}`
      await world.add('/upstreams', {
        name: `t.${world.host}`,
        healthchecks: { passive: { unhealthy: { tcp_failures: 1 } } },
      })
      const made = await world.admin('POST', `${upstream}/targets`, { target: '127.0.0.1' })
      assert.equal(made.status, 201)
      assertHolds(made.body, { target: '127.0.0.1:8000', weight: 100 })
      const at = `${upstream}/targets/127.0.0.1:8000`
      assert.equal((await world.admin('PUT', at, { weight: 7 })).body.weight, 7)
      assert.equal((await world.admin('PUT', `${upstream}/targets/127.0.0.1:9`, { weight: 7 })).status, 404)
      const health = async () => {
        const { data } = (await world.admin('GET', `${upstream}/health`)).body as { data: Json[] }
        return data.map(({ health: word }) => word)
      }
      for (const [word, told] of [
        ['unhealthy', 'UNHEALTHY'],
        ['healthy', 'HEALTHY'],
      ]) {
        assert.equal((await world.admin('PUT', `${at}/${word}`)).status, 204)
        assert.deepEqual(await health(), [told])
      }
      assert.equal((await world.admin('PUT', `${upstream}/targets/127.0.0.1:9/healthy`)).status, 404)
      assert.equal((await world.admin('DELETE', at)).status, 204)
    },
  ],
  [
    'tags filter by all of them with a comma, by any with a slash, and list what has them',
    async (world) => {
      const { tag, namesOf } = await tagged(world)
      const at = async (filter: string) => namesOf((await world.admin('GET', `/services?tags=${filter}`)).body)
      assert.deepEqual(await at(tag('red')), ['a', 'b'])
      assert.deepEqual(await at(`${tag('red')},${tag('blue')}`), ['a'])
      assert.deepEqual(await at(`${tag('blue')}/${tag('green')}`), ['a', 'c'])
      const { data } = (await world.admin('GET', `/tags/${tag('red')}`)).body as { data: Json[] }
      assert.deepEqual(
        data.map(({ entity_name, tag: name }) => [entity_name, name]),
        [1, 2].map(() => ['services', tag('red')]),
      )
    },
  ],
  [
    'pages lead to each other by next and by offset, with size and tags, and end with null',
    async (world) => {
      const { tag, namesOf } = await tagged(world)
      const seen: string[] = []
      let path: string | null = `/services?size=1&tags=${tag('red')}`
      while (path !== null) {
        const { body } = await world.admin('GET', path)
        seen.push(...namesOf(body))
        path = body.next as string | null
        assert.equal(path === null, body.offset === undefined)
        if (path !== null) assert.match(path, /^\/services\?offset=[^&]+&size=1&tags=red-[\w.-]+$/)
      }
      assert.deepEqual(seen.toSorted(), ['a', 'b'])
    },
  ],
  [
    'OPTIONS names what an endpoint takes, HEAD has the head of GET and no body',
    async (world) => {
      const { service } = await world.route()
      const list = await world.admin('OPTIONS', '/services')
      assert.deepEqual([list.status, list.headers.get('allow')], [204, 'GET, HEAD, OPTIONS, POST'])
      const { headers } = await world.admin('OPTIONS', `/services/${service.id}`)
      assert.equal(headers.get('allow'), 'DELETE, GET, HEAD, OPTIONS, PATCH, PUT')
      assert.equal(headers.get('access-control-allow-methods'), headers.get('allow'))
      assert.equal(headers.get('access-control-allow-headers'), 'Content-Type')
      const head = await world.admin('HEAD', `/services/${service.id}`)
      assert.deepEqual([head.status, head.text], [200, ''])
      assert.match(head.headers.get('content-length') ?? '', /^\d+$/)
    },
  ],
  [
    'the node tells its version and plugins, its database, and the schema of each plugin',
    async (world) => {
      const { body } = await world.admin('GET', '/')
      assertHolds(body, { version: '3.9.1', tagline: 'Welcome to kong', edition: 'community' })
      assertHolds((await world.admin('GET', '/status')).body, { database: { reachable: true } })
      assertHolds((await world.admin('GET', '/status/ready')).body, { message: 'ready' })
      const enabled = (await world.admin('GET', '/plugins/enabled')).body.enabled_plugins as string[]
      const { available_on_server: available } = body.plugins as { available_on_server: Json }
      assert.deepEqual(Object.keys(available).toSorted(), enabled.toSorted())
      for (const name of enabled) {
        const schema = await world.admin('GET', `/schemas/plugins/${name}`)
        assert.deepEqual([schema.status, Array.isArray(schema.body.fields)], [200, true], name)
      }
      const { data } = (await world.admin('GET', '/endpoints')).body as { data: string[] }
      for (const path of ['/services/{services}/routes/{routes}', '/tags/{tags}', '/config']) {
        assert.ok(data.includes(path), path)
      }
    },
  ],
]

export const adminCases: readonly Case[] = [...rowCases, ...entityCases]
