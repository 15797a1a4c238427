import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from '../config/api-error.ts'
import { createCatalog } from '../config/catalog.ts'
import { plugins } from '../plugins/index.ts'
import { InvalidDeclaration, readDeclaration } from './declaration.ts'
import { createDeclarativeStore } from './declarative-store.ts'

const catalog = createCatalog(plugins)

const NESTED = `
_format_version: "3.0"
services:
- name: shop
  url: http://shop.internal:8080/api
  tags: [core, shop]
  routes:
  - name: shop.orders
    paths: ["~/orders/[0-9]+$"]
    plugins:
    - name: rate-limiting
      config: { minute: 5, policy: local }
consumers:
- username: partner
  keyauth_credentials:
  - key: secret-of-partner
plugins:
- name: key-auth
  service: shop
`

const FLAT = `
_format_version: "3.0"
services:
- { name: shop, url: "http://shop.internal:8080/api", tags: [core, shop] }
routes:
- { name: shop.orders, service: { name: shop }, paths: ["~/orders/[0-9]+$"] }
consumers:
- username: partner
keyauth_credentials:
- { consumer: partner, key: secret-of-partner }
plugins:
- { name: rate-limiting, route: shop.orders, config: { minute: 5, policy: local } }
- { name: key-auth, service: shop }
`

function withoutTimes(text: string) {
  const { entities } = readDeclaration(catalog, text)
  const lists = [...entities].map(([kind, list]) => {
    const plain = list.map(({ created_at: _, updated_at: __, ...rest }) => rest)
    return [kind, plain.toSorted((a, b) => (String(a.id) < String(b.id) ? -1 : 1))] as const
  })
  return Object.fromEntries(lists.filter(([, list]) => list.length > 0))
}

function refusal(text: string): ApiError {
  try {
    readDeclaration(catalog, text)
  } catch (error) {
    assert.ok(error instanceof ApiError)
    return error
  }
  return assert.fail('it was accepted')
}

test('nested and flat files are the same configuration, ids included, at every reading', () => {
  const nested = withoutTimes(NESTED)
  assert.deepEqual(nested, withoutTimes(FLAT))
  assert.deepEqual(nested, withoutTimes(NESTED))
  const [service] = nested.services ?? []
  assert.deepEqual([service?.host, service?.port, service?.path], ['shop.internal', 8080, '/api'])
  assert.deepEqual(nested.plugins?.map(({ name }) => name).toSorted(), ['key-auth', 'rate-limiting'])
})

test('JSON is read as YAML is', () => {
  const json = JSON.stringify({ _format_version: '3.0', services: [{ name: 'a', host: 'a' }] })
  assert.equal(withoutTimes(json).services?.[0]?.name, 'a')
})

test('every mistake is reported at once, where it is in the document', () => {
  const error = refusal(`
_format_version: "3.0"
things: []
services:
- { name: good, host: good }
- name: bad
  port: 70000
  routes:
  - name: nowhere
    paths: [/x]
    colour: red
routes:
- { name: lost, paths: [/lost], service: missing }
`)
  assert.equal(error.status, 400)
  const { code, name, fields, message } = error.body
  assert.deepEqual([code, name], [14, 'invalid declarative configuration'])
  assert.match(String(message), /^declarative config is invalid: \{/)
  assert.deepEqual(fields, {
    things: 'unknown field',
    services: [
      null,
      {
        host: 'required field missing',
        port: 'value should be between 0 and 65535',
        routes: [{ colour: 'unknown field' }],
      },
    ],
    routes: [{ service: "invalid reference 'services: missing' (no such entry in 'services')" }],
  })
})

test('flattened, each wrong entity is named with its own errors', () => {
  const error = refusal(`
_format_version: "3.0"
services:
- { name: shop, host: shop, port: 70000, tags: [core] }
`)
  assert.ok(error instanceof InvalidDeclaration)
  assert.deepEqual(error.flattened().body.flattened_errors, [
    {
      entity_type: 'service',
      entity_name: 'shop',
      entity_tags: ['core'],
      entity: { name: 'shop', host: 'shop', port: 70000, tags: ['core'] },
      errors: [{ type: 'field', field: 'port', message: 'value should be between 0 and 65535' }],
    },
  ])
})

test('names and scopes are unique within a document', () => {
  const error = refusal(`
_format_version: "3.0"
services:
- { name: shop, host: a }
- { name: shop, host: b }
plugins:
- { name: key-auth, service: shop }
- { name: key-auth, service: shop }
`)
  const { services, plugins: scoped } = error.body.fields as { services: unknown[]; plugins: unknown[] }
  assert.match(JSON.stringify(services), /^\[null,\{.*with name set to 'shop' already declared/)
  assert.match(JSON.stringify(scoped), /^\[null,\{"@entity":\["uniqueness violation/)
})

for (const [what, text, fields] of [
  ['no version', 'services: []', { _format_version: 'required field missing' }],
  ['a number for a version', '_format_version: 3.0', { _format_version: 'expected a string' }],
  ['an unknown version', '_format_version: "9.0"', { _format_version: 'expected one of: 1.1, 2.1, 3.0' }],
] as const) {
  test(`a document with ${what} is refused`, () => assert.deepEqual(refusal(text).body.fields, fields))
}

test('what is no document at all is refused as unparsable', () => {
  for (const text of ['', '- a', 'a: [', '"text"', `a: &a [x]\nb: [${'*a,'.repeat(2_000)}]`]) {
    assert.match(String(refusal(text).body.message), /failed parsing declarative configuration/, text.slice(0, 20))
  }
})

for (const [what, text, reason] of [
  ['nested for ever', '['.repeat(20_000), /failed parsing/],
  ['of two documents', '---\n_format_version: "3.0"\n---\n_format_version: "3.0"\n', /multiple documents/],
  [
    'that goes round in circles',
    '_format_version: "3.0"\nservices: &a\n- { name: x, host: y, routes: *a }\n',
    /unknown field/,
  ],
  ['of one list a thousand times', manyAliases(), /there are more than 200000 entities/],
] as const) {
  test(`a document ${what} is refused`, () => assert.match(String(refusal(text).body.message), reason))
}

/** A small file that says half a million entities. */
function manyAliases(): string {
  const routes = Array.from({ length: 1_000 }, (_, index) => `{ name: r${index}, paths: [/] }`).join()
  const rest = Array.from({ length: 500 }, (_, index) => `- { name: s${index}, host: a, routes: *routes }`).join('\n')
  return `_format_version: "3.0"\nservices:\n- { name: s, host: a, routes: &routes [${routes}] }\n${rest}\n`
}

test('a mistake in a field with a name that JavaScript has is a mistake as well', () => {
  const text = '_format_version: "3.0"\n__proto__: []\nservices: [{ name: a, host: b, __proto__: { c: 1 } }]\n'
  const { fields } = refusal(text).body
  const found = '{"__proto__":"unknown field","services":[{"__proto__":"unknown field"}]}'
  assert.equal(JSON.stringify(fields), found)
})

test('a parent is named by its id or name, whole and alone', () => {
  for (const reference of ['{}', '{ name: a, host: a }', '"name=a"', '"custom_id=5"', '[a]', '{ name: { name: a } }']) {
    const { fields } = refusal(`
_format_version: "3.0"
services: [{ name: a, host: a }, { name: undefined, host: a }]
routes: [{ name: r, paths: [/], service: ${reference} }]
`).body
    assert.match(JSON.stringify(fields), /"invalid reference 'services: /, reference)
  }
})

test('an id that is no text is refused, not replaced', () => {
  const { fields } = refusal('_format_version: "3.0"\nservices: [{ id: 5, host: a }]\n').body
  assert.deepEqual(fields, { services: [{ id: 'expected a string' }] })
})

test('no message has a secret in it', () => {
  const consumer = (name: string, rest: string) => `- { username: ${name}, ${rest} }\n`
  for (const text of [
    consumer('a', 'keyauth_credentials: [{ key: SECRET }]') + consumer('b', 'keyauth_credentials: [{ key: SECRET }]'),
    consumer('a', 'keyauth_credentials: [{ key: "SECRET }]'),
    consumer('a', 'keyauth_credentials: [{ key: [SECRET] }]'),
    consumer('a', 'jwt_secrets: [{ key: k, secret: { SECRET: 1 }, rsa_public_key: SECRET, algorithm: RS256 }]'),
    consumer('a', 'keyauth_credentials: [{ key: SECRET: b: c }]'),
  ]) {
    const { message, fields } = refusal(`_format_version: "3.0"\nconsumers:\n${text}`).body
    assert.doesNotMatch(JSON.stringify([message, fields]), /SECRET/, text)
  }
})

test('keys may be merged in, as in Kong’s own files', () => {
  const text = '_format_version: "3.0"\nservices:\n- &a { name: a, host: a, retries: 3 }\n- { <<: *a, name: b }\n'
  assert.deepEqual(
    withoutTimes(text)
      .services?.map(({ name, host, retries }) => [name, host, retries])
      .toSorted(),
    [
      ['a', 'a', 3],
      ['b', 'a', 3],
    ],
  )
})

test('lines may end as on Windows', () => {
  assert.deepEqual(withoutTimes(FLAT.replaceAll('\n', '\r\n')), withoutTimes(FLAT))
})

test('paths of files before 3.0 are patterns when they look like one', () => {
  const text = `
_format_version: "1.1"
services:
- { name: a, host: a, routes: [{ name: r, paths: [/plain/x, "/orders/\\\\d+$"] }] }
`
  assert.deepEqual(withoutTimes(text).routes?.[0]?.paths, ['/plain/x', '~/orders/\\d+$'])
})

test('what a file says that means nothing here is told', () => {
  const { notices } = readDeclaration(catalog, '_format_version: "3.0"\n_transform: false\n_comment: x\n')
  assert.deepEqual(notices.length, 1)
  assert.match(notices[0] ?? '', /^_transform is ignored: /)
})

test('the written document, loaded, is written the same', () => {
  const store = createDeclarativeStore({ plugins })
  store.load(NESTED)
  const written = store.document()
  const again = createDeclarativeStore({ plugins })
  again.load(written)
  assert.equal(again.document(), written)
  assert.doesNotMatch(written, /created_at|fault_tolerant|null/)
  const { version: _, ...config } = again.snapshot()
  const { version: __, ...before } = store.snapshot()
  assert.deepEqual(withoutTime(config), withoutTime(before))
})

const withoutTime = (config: object): unknown =>
  JSON.parse(JSON.stringify(config, (name, value) => (/^(created|updated)_at$/.test(name) ? undefined : value)))
