import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ApiError } from '../config/api-error.ts'
import { createCatalog } from '../config/catalog.ts'
import { decodeForm, inferForm } from './form.ts'

const decode = (form: string) => decodeForm(new URLSearchParams(form))
const plain = (value: unknown) => JSON.parse(JSON.stringify(value))
const catalog = createCatalog([])

function typed(kind: string, form: string): unknown {
  const schema = catalog.kind(kind)
  const values = decode(form)
  return plain(inferForm(schema, catalog.rulesOf(schema, values), values))
}

test('dots and bracketed keys nest', () => {
  assert.deepEqual(plain(decode('config.minute=100&config.redis.host=a&headers[x-a]=1')), {
    config: { minute: '100', redis: { host: 'a' } },
    headers: { 'x-a': '1' },
  })
})

test('empty brackets, numbered brackets and repetition make lists', () => {
  const expected = { methods: ['GET', 'POST'] }
  assert.deepEqual(plain(decode('methods[]=GET&methods[]=POST')), expected)
  assert.deepEqual(plain(decode('methods[2]=POST&methods[1]=GET')), expected)
  assert.deepEqual(plain(decode('methods=GET&methods=POST')), expected)
})

test('the schema gives texts their types', () => {
  assert.deepEqual(typed('services', 'port=8080&enabled=false&path=&tags=a&name=7'), {
    port: 8080,
    enabled: false,
    path: null,
    tags: ['a'],
    name: '7',
  })
  assert.deepEqual(typed('routes', 'headers.x-version=1&headers.x-version=2&paths=/a&service.name=shop'), {
    headers: { 'x-version': ['1', '2'] },
    paths: ['/a'],
    service: { name: 'shop' },
  })
})

test('a text that is no number stays one, for validation to refuse', () => {
  assert.deepEqual(typed('services', 'port=abc'), { port: 'abc' })
})

test('a name of __proto__ is data like any other', () => {
  const values = decode('__proto__.polluted=1&config.__proto__.polluted=1')
  assert.equal(Object.hasOwn(values, '__proto__'), true)
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
})

test('forms that nest too deep or have too many names are refused', () => {
  assert.throws(() => decode(`${'a.'.repeat(20)}b=1`), ApiError)
  assert.throws(() => decode(Array.from({ length: 1001 }, (_, index) => `a${index}=1`).join('&')), ApiError)
})
