import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { ask, ConfigFixture } from '../gateway-fixture.ts'
import { pluggedIn } from './plugin-fixture.ts'

const NAME = 'request-validator'
const ORDER = {
  type: 'object',
  properties: { quantity: { type: 'integer', minimum: 0, exclusiveMinimum: true }, id: { type: 'string' } },
  required: ['quantity'],
  additionalProperties: false,
}

async function validated(context: TestContext, config: Record<string, unknown>) {
  const { port, seen } = await pluggedIn(context, [{ name: NAME, config }])
  const post = (body: string, type = 'application/json') =>
    ask(port, '/', { method: 'POST', body, headers: { 'content-type': type } })
  return { port, seen, post }
}

test('a body passes when it is as its schema says, and reaches the service whole', async (context) => {
  const { post, seen } = await validated(context, { body_schema: JSON.stringify(ORDER), version: 'draft4' })
  assert.equal((await post('{"quantity": 1, "id": "a"}')).status, 200)
  assert.equal(seen[0]?.body, '{"quantity": 1, "id": "a"}')
  for (const body of ['{"quantity":0}', '{"quantity":"1"}', '{}', '{"quantity":1,"other":1}', '[]', '{', '']) {
    const refused = await post(body)
    assert.deepEqual(
      [refused.status, refused.body],
      [400, '{"message":"request body doesn\'t conform to schema"}'],
      body,
    )
  }
  assert.equal(seen.length, 1)
})

test('a verbose answer says where and what', async (context) => {
  const schema = { type: 'object', properties: { lines: { type: 'array', items: { type: 'number' } } } }
  const { post } = await validated(context, { body_schema: JSON.stringify(schema), verbose_response: true })
  const { body } = await post('{"lines":[1,"x"]}')
  assert.deepEqual(JSON.parse(body), {
    message: "request body doesn't conform to schema",
    data: [{ path: '/lines/1', message: 'must be number' }],
  })
})

test('other types are refused, and allowed ones that are not JSON are not checked', async (context) => {
  const config = { body_schema: '{"type":"object"}', allowed_content_types: ['application/json', 'text/plain'] }
  const { post } = await validated(context, config)
  assert.equal((await post('anything', 'text/plain')).status, 200)
  assert.equal((await post('[]', 'application/json')).status, 400)
  for (const type of ['text/html', 'application/json; charset=utf-8']) {
    const { status, body } = await post('{}', type)
    assert.deepEqual([status, body], [400, '{"message":"specified Content-Type is not allowed"}'], type)
  }
  const lenient = await validated(context, { ...config, content_type_parameter_validation: false })
  assert.equal((await lenient.post('{}', 'application/json; charset=utf-8')).status, 200)
})

test('query parameters and headers are checked as what their text stands for', async (context) => {
  const parameter_schema = [
    { in: 'query', name: 'limit', required: true, schema: '{"type":"integer","maximum":100}' },
    { in: 'header', name: 'X-Dry-Run', schema: '{"type":"boolean"}' },
  ]
  const { port } = await validated(context, { parameter_schema })
  const statusOf = async (path: string, headers = {}) => (await ask(port, path, { headers })).status
  assert.equal(await statusOf('/?limit=100', { 'x-dry-run': 'true' }), 200)
  assert.equal(await statusOf('/?limit=101'), 400)
  assert.equal(await statusOf('/?limit=many'), 400)
  assert.equal(await statusOf('/'), 400)
  assert.equal(await statusOf('/?limit=1', { 'x-dry-run': 'maybe' }), 400)
})

test('schemas that cannot be followed are refused when they are made', () => {
  const refused = [
    {},
    { body_schema: '{' },
    { body_schema: '[{"name":{"type":"string"}}]' },
    { body_schema: '{"type":"strange"}' },
    { body_schema: '{"unknownKeyword":1}' },
    { body_schema: '{}', version: 'kong' },
    { parameter_schema: [{ in: 'path', name: 'id' }] },
  ]
  for (const config of refused) {
    const add = () => new ConfigFixture().add('plugins', { name: NAME, config })
    assert.throws(add, { name: 'ApiError' }, JSON.stringify(config))
  }
})
