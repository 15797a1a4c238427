import assert from 'node:assert/strict'
import { test } from 'node:test'
import { plugins } from '../plugins/index.ts'
import { ApiError } from './api-error.ts'
import { createCatalog } from './catalog.ts'
import { prepareInsert, prepareUpdate, present } from './prepare.ts'

const catalog = createCatalog(plugins)
const SERVICE = { id: '7b7a2f56-0b5c-4b0a-9a7e-2f1c0a0b0c0d' }

const insert = (kind: string, input: Record<string, unknown>) => prepareInsert(catalog, catalog.kind(kind), input)

const update = (kind: string, current: Record<string, unknown>, input: Record<string, unknown>) =>
  prepareUpdate(catalog, catalog.kind(kind), { current, input })

function violation(run: () => unknown): { message: string; fields: unknown } {
  try {
    run()
  } catch (error) {
    assert.ok(error instanceof ApiError)
    assert.equal(error.status, 400)
    assert.equal(error.body.code, 2)
    assert.equal(error.body.name, 'schema violation')
    return { message: error.message, fields: error.body.fields }
  }
  return assert.fail('nothing was refused')
}

test('a service gets every field with its default', () => {
  const { id, created_at, updated_at, ...rest } = insert('services', { name: 'shop', host: 'example.com' })
  assert.match(String(id), /^[0-9a-f-]{36}$/)
  assert.equal(created_at, updated_at)
  assert.deepEqual(rest, {
    name: 'shop',
    host: 'example.com',
    protocol: 'http',
    port: 80,
    path: null,
    retries: 5,
    connect_timeout: 60_000,
    write_timeout: 60_000,
    read_timeout: 60_000,
    tags: null,
    client_certificate: null,
    tls_verify: null,
    tls_verify_depth: null,
    ca_certificates: null,
    enabled: true,
  })
})

test('url stands for protocol, host, port and path', () => {
  const pick = ({ protocol, host, port, path }: Record<string, unknown>) => ({ protocol, host, port, path })
  const service = insert('services', { url: 'https://example.com/api' })
  assert.deepEqual(pick(service), { protocol: 'https', host: 'example.com', port: 443, path: '/api' })
  for (const [url, port] of [
    ['grpc://example.com:50051', 50_051],
    ['grpcs://example.com', 443],
  ] as const) {
    const calls = insert('services', { url })
    assert.deepEqual(
      [calls.protocol, calls.host, calls.port, calls.path],
      [url.split(':')[0], 'example.com', port, null],
    )
  }
  const changed = update('services', service, { url: 'http://example.org:8080' })
  assert.deepEqual(pick(changed), { protocol: 'http', host: 'example.org', port: 8080, path: null })
})

test('one wrong field is named in message and fields', () => {
  assert.deepEqual(
    violation(() => insert('services', { name: 'shop' })),
    {
      message: 'schema violation (host: required field missing)',
      fields: { host: 'required field missing' },
    },
  )
})

test('several wrong fields are all reported, sorted by name', () => {
  const { message } = violation(() =>
    insert('services', { host: 'a', port: 70_000, retries: '5', color: 'red', path: 'x' }),
  )
  assert.equal(
    message,
    '4 schema violations (color: unknown field; path: should start with: /; ' +
      'port: value should be between 0 and 65535; ' +
      'retries: expected an integer)',
  )
})

test('items of lists count from one', () => {
  assert.deepEqual(
    violation(() => insert('routes', { paths: ['/a'], protocols: ['gopher'] })),
    {
      message:
        'schema violation (protocols.1: expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp)',
      fields: { protocols: ['expected one of: grpc, grpcs, http, https, tcp, tls, tls_passthrough, udp'] },
    },
  )
  assert.match(violation(() => insert('routes', { paths: ['/a', 'b'] })).message, /\(paths\.2: should start with: \/ /)
})

test('a route must match by something', () => {
  const message = "must set one of 'methods', 'hosts', 'headers', 'paths', 'snis' when 'protocols' is 'https'"
  assert.deepEqual(
    violation(() => insert('routes', {})),
    {
      message: `schema violation (${message})`,
      fields: { '@entity': [message] },
    },
  )
  assert.match(
    violation(() => insert('routes', { protocols: ['http'] })).message,
    /must set one of 'methods', 'hosts', 'headers', 'paths' when 'protocols' is 'http'/,
  )
})

test('paths that cannot match are refused', () => {
  for (const [path, reason] of [
    ['/a//b', 'must not have empty segments'],
    ['/a/../b', "non-normalized path, consider use '/b' instead"],
    ['/%zz', "invalid url-encoded value: '%zz'"],
    ['/a b', "invalid path: '/a b' (characters outside of the reserved list of RFC 3986 found)"],
  ] as const) {
    assert.equal(violation(() => insert('routes', { paths: [path] })).message, `schema violation (paths.1: ${reason})`)
  }
  assert.match(violation(() => insert('routes', { paths: ['~/(a'] })).message, /paths\.1: invalid regex: '\/\(a'/)
  assert.ok(insert('routes', { paths: ['~/orders/(?P<id>[^/]+)$'] }))
})

test('what the gateway does not do is refused by name', () => {
  assert.match(
    violation(() => insert('services', { host: 'a', protocol: 'tcp' })).message,
    /'tcp' is not available yet/,
  )
  const credential = { consumer: SERVICE, ttl: 60 }
  assert.match(
    violation(() => insert('keyauth_credentials', credential)).message,
    /keys that expire are not available yet/,
  )
})

test('a consumer needs a name of some kind', () => {
  const message = "at least one of these fields must be non-empty: 'custom_id', 'username'"
  assert.deepEqual(violation(() => insert('consumers', {})).fields, { '@entity': [message] })
})

test('a foreign key must be an id', () => {
  assert.equal(
    violation(() => insert('routes', { paths: ['/a'], service: { id: 'x' } })).message,
    'schema violation (service.id: expected a valid UUID)',
  )
})

test('a key is made up when none is given', () => {
  assert.match(String(insert('keyauth_credentials', { consumer: SERVICE }).key), /^[a-zA-Z0-9]{32}$/)
})

test('an unknown plugin is refused before anything else about it', () => {
  const message = "plugin 'foo' not enabled; add it to the 'plugins' configuration property"
  assert.deepEqual(violation(() => insert('plugins', { name: 'foo', config: { a: 1 } })).fields, { name: message })
  assert.deepEqual(violation(() => insert('plugins', {})).fields, { name: 'required field missing' })
})

test('a rate-limiting plugin comes back with all of its configuration', () => {
  const input = { name: 'rate-limiting', config: { minute: 100, policy: 'local', limit_by: 'ip' } }
  const entity = present(catalog, catalog.kind('plugins'), insert('plugins', input))
  assert.deepEqual(entity.config, {
    second: null,
    minute: 100,
    hour: null,
    day: null,
    month: null,
    year: null,
    limit_by: 'ip',
    header_name: null,
    path: null,
    policy: 'local',
    fault_tolerant: true,
    hide_client_headers: false,
    error_code: 429,
    error_message: 'API rate limit exceeded',
    sync_rate: -1,
    window_type: 'fixed',
    redis: {
      host: null,
      port: 6379,
      timeout: 2000,
      username: null,
      password: null,
      database: 0,
      ssl: false,
      ssl_verify: false,
      server_name: null,
    },
    redis_host: null,
    redis_port: 6379,
    redis_timeout: 2000,
    redis_username: null,
    redis_password: null,
    redis_database: 0,
    redis_ssl: false,
    redis_ssl_verify: false,
    redis_server_name: null,
  })
  assert.deepEqual([entity.protocols, entity.enabled], [['grpc', 'grpcs', 'http', 'https'], true])
})

test('an old name of a field sets the new one, which wins when both are given', () => {
  const config = (given: Record<string, unknown>) =>
    insert('plugins', { name: 'rate-limiting', config: { minute: 1, policy: 'local', ...given } }).config as {
      redis: Record<string, unknown>
    }
  assert.equal(config({ redis_port: 7000 }).redis.port, 7000)
  assert.equal(config({ redis_port: 7000, redis: { port: 7001 } }).redis.port, 7001)
})

test('rate-limiting needs a limit, and larger windows larger limits', () => {
  const limits = ['second', 'minute', 'hour', 'day', 'month', 'year'].map((name) => `'config.${name}'`).join(', ')
  assert.deepEqual(violation(() => insert('plugins', { name: 'rate-limiting' })).fields, {
    '@entity': [`at least one of these fields must be non-empty: ${limits}`],
  })
  assert.deepEqual(
    violation(() => insert('plugins', { name: 'rate-limiting', config: { minute: 10, hour: 5 } })).fields,
    { config: 'The limit for hour(5.0) cannot be lower than the limit for minute(10.0)' },
  )
  assert.equal(
    violation(() => insert('plugins', { name: 'rate-limiting', config: { minute: '10' } })).message,
    'schema violation (config.minute: expected a number)',
  )
})

test('key-auth cannot be scoped to a consumer', () => {
  assert.deepEqual(violation(() => insert('plugins', { name: 'key-auth', consumer: SERVICE })).fields, {
    consumer: 'value must be null',
  })
})

test('an update merges records, replaces lists, and resets by null', () => {
  const plugin = insert('plugins', { name: 'rate-limiting', config: { minute: 10, hour: 100, error_code: 503 } })
  const changed = update('plugins', plugin, { config: { minute: 5, hour: null, error_code: null }, tags: ['b'] })
  const { minute, hour, error_code, policy } = changed.config as Record<string, unknown>
  assert.deepEqual({ minute, hour, error_code, policy }, { minute: 5, hour: null, error_code: 429, policy: 'local' })
  assert.deepEqual([changed.tags, changed.id, changed.created_at], [['b'], plugin.id, plugin.created_at])
  assert.match(
    violation(() => update('plugins', changed, { config: { minute: null } })).message,
    /^schema violation \(when updating, at least one of these fields must be non-empty: /,
  )
})

test('text that the database cannot keep is refused', () => {
  assert.match(
    violation(() => insert('consumers', { username: 'a\0b' })).message,
    /must be valid unicode text without NUL/,
  )
  assert.match(violation(() => insert('consumers', { username: '\ud800' })).message, /must be valid unicode text/)
})

test('an own field called __proto__ is unknown like any other', () => {
  const input = JSON.parse('{"username":"bob","__proto__":{"custom_id":"x"}}')
  assert.match(violation(() => insert('consumers', input)).message, /__proto__: unknown field/)
})

test('fields that need TLS are refused without it', () => {
  assert.deepEqual(violation(() => insert('services', { host: 'a', tls_verify: true })).fields, {
    '@entity': ["failed conditional validation given value of field 'protocol'"],
    tls_verify: 'value must be null',
  })
  assert.equal(insert('services', { host: 'a', protocol: 'https', tls_verify: true }).tls_verify, true)
  assert.match(
    violation(() => insert('routes', { protocols: ['http'], paths: ['/a'], snis: ['a.example'] })).message,
    /'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'; snis: length must be 0/,
  )
})

test('hosts and headers of routes follow their grammar', () => {
  for (const host of ['a.example', '*.example', 'a.*', 'a.example:8000', '10.0.0.1']) {
    assert.ok(insert('routes', { hosts: [host] }))
  }
  for (const host of ['a.*.example', '*.*', 'a b', 'a.example:99999']) {
    assert.match(violation(() => insert('routes', { hosts: [host] })).message, /hosts\.1: invalid/, host)
  }
  const headers = (given: Record<string, unknown>) => violation(() => insert('routes', { headers: given })).message
  assert.match(headers({ Host: ['a'] }), /cannot contain 'host' header/)
  assert.match(headers({ 'x a': ['a'] }), /bad header name 'x a'/)
  assert.match(headers({ 'x-a': ['~*('] }), /invalid regex/)
  assert.match(headers({ 'x-a': 'a' }), /expected an array/)
})
