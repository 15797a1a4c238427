import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { fastify } from 'fastify'
import { type Answer, ask } from '../gateway-fixture.ts'
import { everywhere, type GuardedOptions, guarded, seenBy } from './plugin-fixture.ts'

async function limited(context: TestContext, settings: Record<string, unknown> = {}, options: GuardedOptions = {}) {
  const gateway = await guarded(context, options)
  gateway.plug('request-size-limiting', { allowed_payload_size: 10, size_unit: 'bytes', ...settings })
  const post = (body: string, headers: Record<string, string> = {}) =>
    gateway.send('/', { method: 'POST', body, headers })
  const chunked = (body: string) => post(body, { 'transfer-encoding': 'chunked' })
  return { ...gateway, post, chunked }
}

const refusal = (answer: Answer) => [answer.status, JSON.parse(answer.body).message]
const TOO_LARGE = [413, 'Request size limit exceeded']
const withLength = (body: string) => ({ 'content-length': String(body.length) })

everywhere('a body beyond the limit is refused, with and without its length', async (context, place) => {
  const { post, chunked, send } = await limited(context, {}, { place })
  const fits = 'x'.repeat(10)
  const large = 'x'.repeat(11)
  assert.equal(seenBy(await post(fits, withLength(fits))).body, fits)
  assert.equal(seenBy(await chunked(fits)).body, fits)
  assert.deepEqual(refusal(await post(large, withLength(large))), TOO_LARGE)
  assert.deepEqual(refusal(await chunked(large)), TOO_LARGE)
  assert.deepEqual(refusal(await chunked('x'.repeat(1_000_000))), TOO_LARGE)
  assert.equal((await send('/')).status, 200)
})

test('who asks before sending is told by another status', async (context) => {
  const { post } = await limited(context)
  const headers = { expect: '100-continue', 'content-length': '11' }
  assert.deepEqual(refusal(await post('x'.repeat(11), headers)), [417, 'Request size limit exceeded'])
  const open = { expect: '100-continue', 'transfer-encoding': 'chunked' }
  assert.deepEqual(refusal(await post('x'.repeat(11), open)), [417, 'Request size limit exceeded'])
})

test('sizes are counted in the unit that is configured', async (context) => {
  const { post } = await limited(context, { allowed_payload_size: 1, size_unit: 'kilobytes' })
  assert.equal((await post('x', { 'content-length': '1' })).status, 200)
  const large = 'x'.repeat(1_025)
  assert.deepEqual(refusal(await post(large, withLength(large))), TOO_LARGE)
})

test('a length is asked of what has a body, unless it comes in chunks', async (context) => {
  const { chunked, send, port } = await limited(context, { require_content_length: true })
  const socket = connect(port, '127.0.0.1')
  socket.end('POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const answer = await text(socket)
  assert.match(answer, /^HTTP\/1\.1 411 /)
  assert.match(answer, /"message":"A valid Content-Length header is required"/)
  assert.equal((await chunked('x')).status, 200)
  assert.deepEqual(refusal(await chunked('x'.repeat(11))), TOO_LARGE)
  assert.equal((await send('/')).status, 200)
})

test('a service never takes the part that was let through for the whole', async (context) => {
  const bodies: unknown[] = []
  const app = fastify()
  app.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body))
  app.post('/', (request) => {
    bodies.push(request.body)
    return {}
  })
  await app.ready()
  const service = (request: IncomingMessage, response: ServerResponse) => app.routing(request, response)
  const { port } = await limited(context, {}, { service })
  const send = (body: string) =>
    ask(port, '/', { method: 'POST', body, headers: { 'transfer-encoding': 'chunked', 'content-type': 'text/x' } })
  assert.deepEqual(refusal(await send('x'.repeat(200_000))), TOO_LARGE)
  assert.equal((await send('small')).status, 200)
  assert.deepEqual(bodies, ['small'])
})
