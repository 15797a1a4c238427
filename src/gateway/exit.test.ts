import assert from 'node:assert/strict'
import { test } from 'node:test'
import { acceptOfUpstreamError, exitBody } from './exit.ts'

const typeFor = (accept: string | undefined) => exitBody(accept, 'x', 'id').contentType

test('the JSON body is Kong’s to the byte', () => {
  const expected = '{\n  "message":"API rate limit exceeded",\n  "request_id":"0123"\n}'
  assert.equal(exitBody(undefined, 'API rate limit exceeded', '0123').body, expected)
})

test('the format follows Accept and its qualities, and is JSON otherwise', () => {
  assert.equal(typeFor(undefined), 'application/json; charset=utf-8')
  assert.equal(typeFor('*/*'), 'application/json; charset=utf-8')
  assert.equal(typeFor('image/png'), 'application/json; charset=utf-8')
  assert.equal(typeFor('text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'), 'text/html; charset=utf-8')
  assert.equal(typeFor('text/html;q=0.1, application/xml;q=0.2'), 'application/xml; charset=utf-8')
  assert.equal(typeFor('text/plain'), 'text/plain; charset=utf-8')
  assert.equal(typeFor('text/*'), 'text/plain; charset=utf-8')
  assert.equal(typeFor('nonsense'), 'application/json; charset=utf-8')
})

test('a message cannot break out of the format', () => {
  assert.deepEqual(JSON.parse(exitBody(undefined, 'a "b"\n', 'id').body), { message: 'a "b"\n', request_id: 'id' })
  assert.match(exitBody('text/html', '<script>', 'id').body, /<p>&lt;script&gt;\.<\/p>/)
  assert.match(exitBody('application/xml', 'a & b', 'id').body, /<message>a &amp; b<\/message>/)
})

test('errors of upstreams fall back from Accept to the type of the request, then to text', () => {
  assert.equal(acceptOfUpstreamError('application/json', 'text/html'), 'application/json')
  assert.equal(acceptOfUpstreamError(undefined, 'text/html'), 'text/html')
  assert.equal(exitBody(acceptOfUpstreamError(undefined, undefined), 'gone', 'id').body, 'gone\nrequest_id: id\n')
})
