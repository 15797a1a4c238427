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
