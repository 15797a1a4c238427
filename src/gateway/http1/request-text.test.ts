import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { test } from 'node:test'
import { UnwritableRequest } from './malformed.ts'
import { type OutgoingRequest, requestText } from './request-text.ts'

const textOf = (request: Partial<OutgoingRequest>) =>
  requestText({ method: 'GET', path: '/', headers: {}, body: null, upgrades: false, ...request })

test('a head has what it was given, and its framing is made anew', () => {
  const headers = { host: 'a', 'x-two': ['1', '2'] as unknown as string, connection: 'close', expect: '100-continue' }
  assert.equal(
    textOf({ method: 'POST', path: '/a?b', headers: { ...headers, 'content-length': '9' }, body: Buffer.from('body') }),
    'POST /a?b HTTP/1.1\r\nhost: a\r\nx-two: 1\r\nx-two: 2\r\ncontent-length: 4\r\nconnection: keep-alive\r\n\r\n',
  )
})

test('a body is announced by its length, by chunks, or not at all', () => {
  const framing = (request: Partial<OutgoingRequest>) =>
    textOf(request)
      .split('\r\n')
      .filter((line) => /^(content-length|transfer-encoding)/.test(line))
  assert.deepEqual(framing({}), [])
  assert.deepEqual(framing({ method: 'POST' }), ['content-length: 0'])
  assert.deepEqual(framing({ body: Readable.from([]) }), ['transfer-encoding: chunked'])
  assert.deepEqual(framing({ body: Readable.from([]), headers: { 'content-length': '7' } }), ['content-length: 7'])
})

for (const [what, request] of [
  ['a path with a line end', { path: '/ HTTP/1.1\r\nx: y' }],
  ['a method with a blank', { method: 'GET /' }],
  ['a value with a line end', { headers: { a: 'x\r\nb: y' } }],
  ['a value beyond Latin-1', { headers: { a: '☃' } }],
  ['a name with a colon', { headers: { ':path': '/' } }],
  ['a length that is none', { body: Readable.from([]), headers: { 'content-length': '1\r\n' } }],
] as const) {
  test(`${what} is never written`, () => {
    assert.throws(() => textOf(request), UnwritableRequest)
  })
}
