import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { createDeclarativeStore } from '../declarative/declarative-store.ts'
import { plugins } from '../plugins/index.ts'
import { createAdminApi } from './admin-api.ts'

const NO_CONNECTIONS = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }
const INFO = { version: '3.9.1', nodeId: randomUUID(), hostname: 'test', connections: () => NO_CONNECTIONS }

const YAML = `
_format_version: "3.0"
services:
- { name: shop, host: shop, tags: [core, eu] }
- { name: mail, host: mail, tags: [core] }
routes:
- { name: shop.all, service: shop, paths: [/shop] }
`

type Sent = { readonly type?: string; readonly body?: string | FormData }

/** The Admin API of a gateway without a database, and a client of it. */
async function start(context: TestContext) {
  const store = createDeclarativeStore({ plugins })
  const admin = createAdminApi({ store, plugins, info: INFO, declarative: store })
  const { port } = await admin.listen({ host: '127.0.0.1', port: 0 })
  context.after(() => admin.close({ deadlineAtMs: Date.now() + 1_000 }))
  return async (method: string, path: string, { type, body }: Sent = {}) => {
    const headers = type === undefined ? {} : { 'Content-Type': type }
    const init = body === undefined ? { method, headers } : { method, headers, body }
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
    const text = await response.text()
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Body }
  }
}

const asYaml = { type: 'application/yaml', body: YAML }

test('POST /config replaces everything and answers the entities by id', async (context) => {
  const call = await start(context)
  const empty = await call('GET', '/status')
  assert.equal(empty.body.configuration_hash, '0'.repeat(32))
  const { status, body } = await call('POST', '/config', asYaml)
  assert.equal(status, 201)
  const services = body.services as Record<string, Body>
  assert.deepEqual(
    Object.values(services)
      .map(({ name }) => name)
      .toSorted(),
    ['mail', 'shop'],
  )
  for (const [id, entity] of Object.entries(services)) assert.deepEqual([entity.id, entity.port], [id, 80])
  assert.match(String((await call('GET', '/status')).body.configuration_hash), /^(?!0{32})[0-9a-f]{32}$/)
  assert.deepEqual((await call('GET', '/')).body.configuration, { database: 'off' })
  const { body: written } = await call('GET', '/config')
  assert.equal((await call('POST', '/config', { type: 'text/yaml', body: String(written?.config) })).status, 201)
  assert.deepEqual((await call('GET', '/config')).body, written)
})

test('POST /config takes JSON, a field of JSON or of a form, and the same again as 304', async (context) => {
  const call = await start(context)
  const json = JSON.stringify({ _format_version: '3.0', services: [{ name: 'a', host: 'a' }] })
  const form = new FormData()
  form.set('config', YAML)
  const sent: readonly Sent[] = [
    { body: form },
    { type: 'application/json', body: json },
    { type: 'application/json', body: JSON.stringify({ config: YAML }) },
    { type: 'application/x-www-form-urlencoded', body: String(new URLSearchParams({ config: YAML })) },
  ]
  for (const each of sent) assert.equal((await call('POST', '/config', each)).status, 201)
  assert.equal((await call('POST', '/config?check_hash=1', asYaml)).status, 304)
  assert.equal((await call('POST', '/config', asYaml)).status, 201)
})

test('POST /config refuses a mistake whole', async (context) => {
  const call = await start(context)
  await call('POST', '/config', asYaml)
  const wrong = { type: 'application/yaml', body: '_format_version: "3.0"\nservices:\n- name: bad\n' }
  const { status, body } = await call('POST', '/config', wrong)
  assert.deepEqual([status, body.code, body.flattened_errors], [400, 14, undefined])
  const flattened = await call('POST', '/config?flatten_errors=1', wrong)
  assert.equal((flattened.body.flattened_errors as Body[])[0]?.entity_name, 'bad')
  const none = await call('POST', '/config', { type: 'application/json', body: '{}' })
  assert.deepEqual([none.status, none.body], [400, { message: 'expected a declarative configuration' }])
  assert.equal((await call('GET', '/services/shop')).status, 200)
})

test('reads work as with a database, and every other write is refused in Kong’s words', async (context) => {
  const call = await start(context)
  await call('POST', '/config', asYaml)
  const names = async (path: string) =>
    ((await call('GET', path)).body.data as Body[]).map(({ name }) => name).toSorted()
  assert.deepEqual(await names('/services?tags=core,eu'), ['shop'])
  assert.deepEqual(await names('/services?tags=core/eu'), ['mail', 'shop'])
  assert.deepEqual(await names('/services/shop/routes'), ['shop.all'])
  const first = await call('GET', '/services?size=1')
  assert.equal((await names(String(first.body.next))).length, 1)
  const host = { type: 'application/json', body: '{"host":"x"}' }
  const refusals: readonly (readonly [string, string, Sent, string])[] = [
    ['POST', '/services', host, "cannot create 'services' entities"],
    ['PUT', '/services/new', host, "cannot create or update 'services' entities"],
    ['PATCH', '/services/shop', host, "cannot update 'services' entities"],
    ['DELETE', '/services/shop', {}, "cannot remove 'services' entities"],
    [
      'POST',
      '/services/shop/plugins',
      { type: 'application/json', body: '{"name":"key-auth"}' },
      "cannot create 'plugins' entities",
    ],
  ]
  for (const [method, path, sent, message] of refusals) {
    const { status, body } = await call(method, path, sent)
    assert.deepEqual(
      [status, body],
      [405, { code: 12, name: 'operation unsupported', message: `${message} when not using a database` }],
    )
  }
  assert.equal((await call('POST', '/services', { type: 'application/json', body: '{}' })).status, 400)
  assert.equal((await call('DELETE', '/services/none')).status, 204)
})

type Body = Record<string, unknown>
