import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { startTestCluster } from '../../testing/index.ts'
import type { ConfigStore } from '../config/entities.ts'
import { gatewayMigrations } from '../config/migrations.ts'
import { isPassword } from '../config/password.ts'
import { createConfigStore } from '../config/store.ts'
import { plugins } from '../plugins/index.ts'
import { type AdminApi, createAdminApi } from './admin-api.ts'

const NO_CONNECTIONS = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }
const INFO = { version: '3.9.1', nodeId: randomUUID(), hostname: 'test', connections: () => NO_CONNECTIONS }

type Fields = Record<string, unknown>

let testCluster: Awaited<ReturnType<typeof startTestCluster>>
let store: ConfigStore
let admin: AdminApi
let base = ''
let bob: Fields
let ann: Fields

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
  const { entities } = await store.page('consumers', { size: 1000 })
  for (const entity of entities) await store.delete('consumers', String(entity.id))
  bob = (await call('POST', '/consumers', { username: 'bob' })).body
  ann = (await call('POST', '/consumers', { username: 'ann' })).body
})

async function call(method: string, path: string, body?: Fields | URLSearchParams) {
  const isForm = body instanceof URLSearchParams
  const response = await fetch(base + path, {
    method,
    ...(body !== undefined && { body: isForm ? body : JSON.stringify(body) }),
    ...(body !== undefined && !isForm && { headers: { 'content-type': 'application/json' } }),
  })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Fields }
}

test('a jwt secret is made up where it is not given', async () => {
  const { status, body } = await call('POST', '/consumers/bob/jwt', new URLSearchParams())
  assert.equal(status, 201)
  const { id, created_at, key, secret, ...rest } = body
  assert.ok(typeof id === 'string' && Number.isInteger(created_at))
  assert.match(String(key), /^[a-zA-Z0-9]{32}$/)
  assert.match(String(secret), /^[a-zA-Z0-9]{32}$/)
  assert.deepEqual(rest, { consumer: { id: bob.id }, rsa_public_key: null, algorithm: 'HS256', tags: null })
  assert.deepEqual((await call('GET', `/jwts/${key}`)).body, body)
  assert.deepEqual((await call('GET', `/jwts/${key}/consumer`)).body, bob)
  assert.deepEqual((await call('GET', '/jwts')).body, { data: [body], next: null })
  assert.equal((await call('GET', `/consumers/ann/jwt/${key}`)).status, 404)
})

test('keys of algorithms with two keys must be there and fit', async () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const rsa = publicKey.export({ type: 'spki', format: 'pem' })
  const refused = async (body: Fields) => {
    const reply = await call('POST', '/consumers/bob/jwt', body)
    assert.equal(reply.status, 400)
    return (reply.body.fields as Fields).rsa_public_key
  }
  assert.equal(await refused({ algorithm: 'RS256' }), 'required field missing')
  assert.equal(await refused({ algorithm: 'RS256', rsa_public_key: 'x' }), 'invalid key')
  assert.equal(await refused({ algorithm: 'ES256', rsa_public_key: rsa }), "invalid key: 'ES256' takes another kind")
  const created = await call('POST', '/consumers/bob/jwt', { algorithm: 'PS512', rsa_public_key: rsa })
  assert.equal(created.status, 201)
})

test('a password comes back as a hash, which may be written again', async () => {
  const { status, body } = await call('POST', '/consumers/bob/basic-auth', { username: 'bobby', password: 'secret' })
  assert.equal(status, 201)
  assert.equal(await isPassword('secret', String(body.password)), true)
  const path = `/consumers/bob/basic-auth/${body.id}`
  const { body: again } = await call('PUT', path, { username: 'bobby', password: body.password })
  assert.equal(again.password, body.password)
  const { body: renamed } = await call('PATCH', '/basic-auths/bobby', { username: 'bob2' })
  assert.deepEqual([renamed.username, renamed.password], ['bob2', body.password])
  const { body: changed } = await call('PATCH', path, { password: 'new' })
  assert.equal(await isPassword('new', String(changed.password)), true)
  const missing = await call('POST', '/consumers/bob/basic-auth', {})
  assert.deepEqual(missing.body.fields, { username: 'required field missing', password: 'required field missing' })
})

test('usernames and keys are unique over all consumers', async () => {
  await call('POST', '/consumers/bob/basic-auth', { username: 'x', password: 'p' })
  const login = await call('POST', '/consumers/ann/basic-auth', { username: 'x', password: 'q' })
  assert.deepEqual([login.status, login.body.message], [409, `UNIQUE violation detected on '{username="x"}'`])
  await call('POST', '/consumers/bob/jwt', { key: 'k' })
  assert.equal((await call('POST', '/consumers/ann/jwt', { key: 'k' })).status, 409)
})

test('a consumer is once in a group, and the group names it below the consumer', async () => {
  const { status, body } = await call('POST', '/consumers/bob/acls', new URLSearchParams('group=staff'))
  assert.equal(status, 201)
  assert.deepEqual((await call('GET', '/consumers/bob/acls/staff')).body, body)
  assert.equal((await call('GET', '/consumers/ann/acls/staff')).status, 404)
  const twice = await call('POST', '/consumers/bob/acls', { group: 'staff' })
  const message = `UNIQUE violation detected on '{consumer={id="${bob.id}"},group="staff"}'`
  assert.deepEqual([twice.status, twice.body.message], [409, message])
  assert.equal((await call('POST', '/consumers/ann/acls', { group: 'staff' })).status, 201)
  const kept = await call('PUT', '/consumers/bob/acls/staff', { tags: ['a'] })
  assert.deepEqual([kept.status, kept.body.id, kept.body.group, kept.body.tags], [200, body.id, 'staff', ['a']])
  assert.equal((await call('DELETE', '/consumers/bob/acls/staff')).status, 204)
  assert.equal((await call('GET', `/acls/${body.id}`)).status, 404)
  assert.equal(((await call('GET', '/acls')).body.data as unknown[]).length, 1)
})

test('deck’s PUT with an id of its own creates and replaces', async () => {
  const bodies: readonly (readonly [string, Fields])[] = [
    ['jwt', { key: 'k', secret: 's', algorithm: 'HS512' }],
    ['basic-auth', { username: 'u', password: 'p' }],
    ['acls', { group: 'g' }],
  ]
  for (const [segment, body] of bodies) {
    const id = randomUUID()
    const path = `/consumers/${bob.id}/${segment}/${id}`
    const sent = { ...body, id, consumer: { id: bob.id } }
    const first = await call('PUT', path, sent)
    assert.deepEqual([first.status, first.body.id, first.body.consumer], [200, id, { id: bob.id }], segment)
    assert.ok(Number.isInteger(first.body.created_at))
    assert.equal((await call('PUT', path, { ...sent, tags: ['t'] })).status, 200)
    const listed = await call('GET', `/${segment === 'acls' ? 'acls' : `${segment}s`}?size=1000&tags=t`)
    assert.deepEqual(
      (listed.body.data as Fields[]).map((entity) => entity.id),
      [id],
    )
  }
})

test('with a consumer its credentials and groups go, and the gateway forgets them', async () => {
  await call('POST', '/consumers/bob/jwt', {})
  await call('POST', '/consumers/bob/basic-auth', { username: 'u', password: 'p' })
  await call('POST', '/consumers/bob/acls', { group: 'g' })
  await call('POST', '/consumers/ann/acls', { group: 'g' })
  const counts = () => {
    const { jwtSecrets, basicAuthCredentials, acls } = store.snapshot()
    return [jwtSecrets.length, basicAuthCredentials.length, acls.length]
  }
  assert.deepEqual(counts(), [1, 1, 2])
  assert.equal((await call('DELETE', '/consumers/bob')).status, 204)
  assert.deepEqual(counts(), [0, 0, 1])
  assert.deepEqual(
    store.snapshot().acls.map(({ consumer }) => consumer.id),
    [ann.id],
  )
})

test('the schemas of the credentials are served', async () => {
  for (const kind of ['jwt_secrets', 'basicauth_credentials', 'acls']) {
    const { status, body } = await call('GET', `/schemas/${kind}`)
    assert.equal(status, 200)
    assert.ok((body.fields as Fields[]).some((field) => 'consumer' in field))
  }
  for (const { name } of plugins) assert.equal((await call('GET', `/schemas/plugins/${name}`)).status, 200)
})
