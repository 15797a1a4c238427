import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { TRANSFORMED_BODY_BYTES_MAX } from '../limits.ts'
import { everywhere, guarded, type Place, seenBy } from './plugin-fixture.ts'

const JSON_TYPE = 'application/json; charset=utf-8'
const FORM_TYPE = 'application/x-www-form-urlencoded'

/** A gateway that looks for the key of `bob`, `secret`, in bodies as well. */
async function keyed(context: TestContext, options: Record<string, unknown> = {}, place: Place = 'in process') {
  const gateway = await guarded(context, { place })
  const { id } = gateway.consumer('bob')
  gateway.consumer('guest')
  gateway.config.add('keyauth_credentials', { key: 'secret', consumer: { id } })
  gateway.plug('key-auth', { key_in_body: true, ...options })
  const post = (type: string, body: string, headers: Record<string, string> = {}, path = '/') =>
    gateway.send(path, { method: 'POST', body, headers: { 'content-type': type, ...headers } })
  return { ...gateway, post }
}

everywhere(
  'a key in a form or in JSON says who calls, and the service gets the body as it came',
  async (context, place) => {
    const { post } = await keyed(context, {}, place)
    for (const [type, body] of [
      [FORM_TYPE, 'a=+&apikey=secret&b'],
      [JSON_TYPE, '{ "apikey": "secret", "a": 1.0 }'],
    ] as const) {
      const answer = await post(type, body)
      assert.equal(answer.status, 200, body)
      assert.deepEqual([seenBy(answer).headers['x-consumer-username'], seenBy(answer).body], ['bob', body])
      const chunked = await post(type, body, { 'transfer-encoding': 'chunked' })
      assert.equal(seenBy(chunked).body, body)
    }
  },
)

test('what is no key in a body is refused in Kong’s words', async (context) => {
  const { post } = await keyed(context)
  const refused = [
    [FORM_TYPE, 'a=1', 'No API key found in request'],
    [FORM_TYPE, 'apikey=&a', 'No API key found in request'],
    [FORM_TYPE, 'apikey', 'No API key found in request'],
    [FORM_TYPE, 'apikey=wrong', 'Unauthorized'],
    [FORM_TYPE, 'apikey=secret&apikey=secret', 'Duplicate API key found'],
    [JSON_TYPE, '{"apikey":["secret"]}', 'Duplicate API key found'],
    [JSON_TYPE, '{"apikey":"wrong"}', 'Unauthorized'],
    [JSON_TYPE, '{"apikey":1}', 'No API key found in request'],
    [JSON_TYPE, '{"apikey":null}', 'No API key found in request'],
    [JSON_TYPE, '["apikey"]', 'No API key found in request'],
    [JSON_TYPE, '{"apikey":"secret"', 'No API key found in request'],
    ['text/plain', 'apikey=secret', 'No API key found in request'],
  ] as const
  for (const [type, body, message] of refused) {
    const answer = await post(type, body)
    assert.deepEqual([answer.status, JSON.parse(answer.body).message], [401, message], body)
  }
})

test('only without a key in the header and the query the body is asked', async (context) => {
  const { post } = await keyed(context)
  const wrong = '{"apikey":"wrong"}'
  assert.equal((await post(JSON_TYPE, wrong, { apikey: 'secret' })).status, 200)
  assert.equal((await post(JSON_TYPE, wrong, {}, '/?apikey=secret')).status, 200)
  assert.equal((await post(JSON_TYPE, '{"apikey":"secret"}', { apikey: 'wrong' })).status, 401)
})

test('hidden credentials leave the body as well, wherever the key was, and other fields stay', async (context) => {
  const { post } = await keyed(context, { hide_credentials: true })
  const form = seenBy(await post(FORM_TYPE, 'a=%20&apikey=secret&b'))
  assert.deepEqual([form.body, form.headers['content-length']], ['a=%20&b', '7'])
  const json = '{"a":[1],"apikey":"secret","b":null}'
  assert.equal(seenBy(await post(JSON_TYPE, json)).body, '{"a":[1],"b":null}')
  assert.equal(seenBy(await post(JSON_TYPE, json, { apikey: 'secret' })).body, '{"a":[1],"b":null}')
  assert.equal(seenBy(await post(JSON_TYPE, '{ "a": 1.0 }', { apikey: 'secret' })).body, '{ "a": 1.0 }')
  assert.equal(seenBy(await post(FORM_TYPE, 'apikey=secret')).body, '')
})

test('a body without a key may go on as the anonymous consumer, one that is too large to be read may not', async (context) => {
  const { post } = await keyed(context, { anonymous: 'guest' })
  const { headers, body } = seenBy(await post(FORM_TYPE, 'a=1'))
  assert.deepEqual([headers['x-consumer-username'], headers['x-anonymous-consumer'], body], ['guest', 'true', 'a=1'])
  const large = 'x'.repeat(TRANSFORMED_BODY_BYTES_MAX + 1)
  assert.equal((await post(FORM_TYPE, large, { 'transfer-encoding': 'chunked' })).status, 413)
})
