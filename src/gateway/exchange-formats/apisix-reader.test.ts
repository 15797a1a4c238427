import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readApisixFile } from './apisix-reader.ts'

function read(text: string) {
  return readApisixFile(text) ?? assert.fail('it is no file of APISIX')
}

test('ids are the same as numbers and as texts', () => {
  const { collections, omitted } = read(`
upstreams: [{ id: 7, nodes: { "10.0.0.1:80": 1 } }]
services: [{ id: 1, name: shop, upstream_id: "7" }]
routes: [{ uri: /shop, name: shop, service_id: "1" }]
`)
  assert.deepEqual(omitted, [])
  const [route] = collections.routes as { service: string }[]
  assert.equal(route?.service, 'shop')
})

test('how several nodes are balanced is kept, or named', () => {
  const balanced = (type: string) =>
    read(`services: [{ name: a, upstream: { type: ${type}, nodes: { "a:80": 1, "b:80": 1 } } }]`)
  const { collections } = balanced('least_conn')
  assert.deepEqual(collections.upstreams, [{ name: 'a.upstream', algorithm: 'least-connections' }])
  assert.deepEqual(balanced('chash').omitted, ['service a: how it is balanced, chash'])
})

test('a route or consumer that is named by no text is left out, and named', () => {
  const { collections, omitted } = read(`
routes: [{ id: 1, uri: { a: 1 } }, { id: 2, uris: [5] }]
consumers: [{ username: { a: 1 } }, { username: good }]
`)
  assert.deepEqual(collections, { consumers: [{ username: 'good' }] })
  assert.deepEqual(omitted, [
    'route 1: itself, for its uri is no text',
    'route 2: itself, for its uri is no text',
    'a consumer: itself, for its username is no text',
  ])
})

test('what cannot be read is told without its text, which may be a key', () => {
  const text = 'consumers:\n- username: a\n  plugins: { key-auth: { key: "SECRET } }\n'
  assert.throws(() => readApisixFile(text), { code: 'GATEWAY_CONFIG_INVALID', message: /^[^\n]*at line 4[^\n]*$/ })
  assert.throws(
    () => readApisixFile(text),
    (error: Error) => !error.message.includes('SECRET'),
  )
})
