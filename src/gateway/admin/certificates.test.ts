import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { startTestCluster } from '../../testing/index.ts'
import { gatewayMigrations } from '../config/migrations.ts'
import { createConfigStore } from '../config/store.ts'
import { plugins } from '../plugins/index.ts'
import { selfSigned } from '../self-signed.ts'
import { type AdminApi, createAdminApi } from './admin-api.ts'

/** Certificates, names and authorities at the Admin API, as Kong has them. */

const NO_CONNECTIONS = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }
const INFO = { version: '3.9.1', nodeId: randomUUID(), hostname: 'test', connections: () => NO_CONNECTIONS }

let testCluster: Awaited<ReturnType<typeof startTestCluster>>
let store: ReturnType<typeof createConfigStore>
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

type Fields = Record<string, unknown>

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

const one = selfSigned('one')
const two = selfSigned('two')

/** Good for a hundred years; its key is gone. */
const AUTHORITY = `-----BEGIN CERTIFICATE-----
MIIBiDCCAS+gAwIBAgIUOQQiNVSYCOz367PXQdOL/AKt/hcwCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBhdXRob3JpdHkwIBcNMjYxMTI1MTk0ODUyWhgPMjEy
NjExMDExOTQ4NTJaMBkxFzAVBgNVBAMMDlRlc3QgYXV0aG9yaXR5MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAEK8pemCXk7h/xYsH4g2E+Jnd186Rhwdye2OeEDQQx
UucELkm2X8eweUMmJvCy48FCSczFBuvWYAsp/90YJQfeyKNTMFEwHQYDVR0OBBYE
FBGzJQr8Jj8HWFikyVQnfN6jOw3TMB8GA1UdIwQYMBaAFBGzJQr8Jj8HWFikyVQn
fN6jOw3TMA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDRwAwRAIgXQJpovJ2
FBrUg/NnAQzQAc336QjIgLLzBfQuezl90hgCIFISKLERb2g6HDEa7Ma75DbKtT/i
ZyGAnHTsAcoPzXWE
-----END CERTIFICATE-----
`

test('a certificate has names, which are entities of their own', async () => {
  const added = await call('POST', '/certificates', { ...one, snis: ['b.example', '*.a.example'] })
  assert.equal(added.status, 201, JSON.stringify(added.body))
  const { id } = added.body
  assert.deepEqual(added.body.snis, ['*.a.example', 'b.example'])
  assert.deepEqual([added.body.cert, added.body.key, added.body.cert_alt], [one.cert, one.key, null])
  assert.deepEqual((await call('GET', '/snis/b.example')).body.certificate, { id })
  assert.equal((await call('GET', '/certificates/b.example')).body.id, id)
  const listed = (await call('GET', '/certificates')).body.data as Fields[]
  assert.deepEqual(
    listed.map(({ snis }) => snis),
    [['*.a.example', 'b.example']],
  )
  const untouched = await call('PATCH', `/certificates/${id}`, { tags: ['x'] })
  assert.deepEqual([untouched.body.snis, untouched.body.tags], [['*.a.example', 'b.example'], ['x']])
  const changed = await call('PATCH', '/certificates/b.example', { snis: ['c.example', 'b.example'] })
  assert.deepEqual(changed.body.snis, ['b.example', 'c.example'])
  assert.equal((await call('GET', '/snis/*.a.example')).status, 404)
  const nested = (await call('GET', `/certificates/${id}/snis`)).body.data as Fields[]
  assert.deepEqual(nested.map(({ name }) => name).sort(), ['b.example', 'c.example'])
  assert.equal((await call('POST', '/certificates/c.example/snis', { name: 'd.example' })).status, 201)
  assert.equal((await call('GET', '/certificates/d.example/snis/c.example')).body.name, 'c.example')
  assert.deepEqual((await call('GET', '/certificates/d.example/services')).body.data, [])
  assert.equal((await call('GET', '/certificates/nobody.example/snis')).status, 404)
  assert.equal((await call('PATCH', '/certificates/d.example/snis', {})).status, 405)
  assert.equal((await call('GET', '/certificates/d.example/nonsense')).status, 404)
  assert.deepEqual(
    store
      .snapshot()
      .snis.map(({ name }) => name)
      .sort(),
    ['b.example', 'c.example', 'd.example'],
  )
  assert.equal((await call('DELETE', '/certificates/c.example')).status, 204)
  assert.deepEqual([store.snapshot().certificates, store.snapshot().snis], [[], []])
  assert.equal((await call('DELETE', '/certificates/c.example')).status, 204)
})

test('a PUT by id or by a new name makes a certificate; forms work, too', async () => {
  const id = randomUUID()
  const put = await call('PUT', `/certificates/${id}`, { ...one, snis: ['put.example'] })
  assert.deepEqual([put.status, put.body.id, put.body.snis], [200, id, ['put.example']])
  assert.deepEqual((await call('PUT', `/certificates/${id}`, { ...two })).body.snis, ['put.example'])
  const named = await call('PUT', '/certificates/new.example', { ...one })
  assert.deepEqual([named.status, named.body.snis], [200, ['new.example']])
  const form = await call('POST', '/certificates', new URLSearchParams({ ...two, 'snis[]': 'form.example' }))
  assert.deepEqual([form.status, form.body.snis], [201, ['form.example']])
  for (const key of [id, named.body.id, form.body.id]) await call('DELETE', `/certificates/${key}`)
})

test('what is no certificate, or no pair, or taken, is refused in Kong’s words', async () => {
  const { body: owner } = await call('POST', '/certificates', { ...one, snis: ['taken.example'] })
  for (const [input, fields] of [
    [{ cert: one.cert, key: two.key }, { '@entity': ['certificate does not match key'] }],
    [{ cert: one.cert }, { key: 'required field missing' }],
    [{ ...one, key: 'no key' }, { key: 'invalid key' }],
    [{ ...one, cert_alt: two.cert }, { '@entity': ["all or none of these fields must be set: 'cert_alt', 'key_alt'"] }],
    [
      { ...one, snis: ['taken.example'] },
      { snis: `taken.example already associated with existing certificate '${owner.id}'` },
    ],
    [{ ...one, snis: ['x', 'x'] }, { snis: 'x is duplicated' }],
    [{ ...one, snis: ['10.0.0.1'] }, { name: 'must not be an IP' }],
    [{ ...one, snis: ['a.example:443'] }, { name: 'must not have a port' }],
  ] as const) {
    const { status, body } = await call('POST', '/certificates', input)
    assert.deepEqual([status, body.fields], [400, fields])
    assert.doesNotMatch(JSON.stringify(body), /PRIVATE/)
  }
  const { body } = await call('POST', '/certificates', { ...one, cert: 'nothing' })
  assert.match(String((body.fields as Fields).cert), /^invalid certificate: /)
  const same = await call('POST', '/certificates', { ...one, cert_alt: two.cert, key_alt: two.key })
  assert.match(String(same.body.message), /need to have different type/)
  assert.equal((await call('GET', '/certificates')).body.next, null)
  assert.equal(store.snapshot().certificates.length, 1)
  const orphan = await call('POST', '/snis', { name: 'x.example', certificate: { id: randomUUID() } })
  assert.deepEqual([orphan.status, orphan.body.code], [400, 4])
  await call('DELETE', `/certificates/${owner.id}`)
})

test('an authority must be one, and is known by its digest', async () => {
  const refused = await call('POST', '/ca_certificates', { cert: one.cert })
  assert.match(String((refused.body.fields as Fields).cert), /missing the "CA" basic constraint/)
  const several = await call('POST', '/ca_certificates', { cert: AUTHORITY + AUTHORITY })
  assert.deepEqual(several.body.fields, { cert: 'please submit only one certificate at a time' })
  const added = await call('POST', '/ca_certificates', { cert: AUTHORITY })
  assert.deepEqual([added.status, String(added.body.cert_digest).length], [201, 64], JSON.stringify(added.body))
  const again = await call('POST', '/ca_certificates', { cert: `\n${AUTHORITY}` })
  assert.equal(again.status, 409)
  const service = { url: 'https://127.0.0.1', ca_certificates: [added.body.id] }
  const believing = await call('POST', '/services', service)
  const inUse = await call('DELETE', `/ca_certificates/${added.body.id}`)
  assert.deepEqual([inUse.status, inUse.body.code, inUse.body.name], [400, 19, 'referenced by others'])
  await call('DELETE', `/services/${believing.body.id}`)
  assert.equal((await call('DELETE', `/ca_certificates/${added.body.id}`)).status, 204)
})
