import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { ask } from '../gateway-fixture.ts'
import { pluggedIn } from './plugged-in-fixture.ts'

const NAME = 'response-transformer'
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' }

test('headers are removed, renamed, replaced, added and appended in this order', async (context) => {
  const config = {
    remove: { headers: ['X-Gone', 'x-kong-upstream-latency'] },
    rename: { headers: ['X-Old:X-New'] },
    replace: { headers: ['X-There:replaced', 'X-Absent:never'] },
    add: { headers: ['X-There:never', 'X-Added:a:b'] },
    append: { headers: ['Set-Cookie:b=2'] },
  }
  const { port } = await pluggedIn(context, [{ name: NAME, config }], {
    handler(_request, response) {
      response.setHeader('Set-Cookie', ['a=1', 'c=3'])
      response.writeHead(201, { 'X-Gone': '1', 'X-Old': 'old', 'X-There': 'there' }).end('body')
    },
  })
  const { status, headers, body } = await ask(port, '/')
  assert.deepEqual([status, body], [201, 'body'])
  const names = ['x-gone', 'x-old', 'x-new', 'x-there', 'x-absent', 'x-added', 'x-kong-upstream-latency']
  assert.deepEqual(
    names.map((name) => headers[name]),
    [undefined, undefined, 'old', 'replaced', undefined, 'a:b', undefined],
  )
  assert.deepEqual(headers['set-cookie'], ['a=1', 'c=3', 'b=2'])
  assert.ok(headers['x-kong-request-id'])
})

test('a JSON body is changed at its top level, with the types that are named', async (context) => {
  const config = {
    remove: { json: ['secret'] },
    rename: { json: ['old:new'] },
    replace: { json: ['there:2', 'absent:1'], json_types: ['number'] },
    add: { json: ['flag:true', 'text:1'], json_types: ['boolean'] },
    append: { json: ['list:3', 'scalar:b'], json_types: ['number', 'string'] },
  }
  const value = { secret: 's', old: 1, there: 'x', list: [1], scalar: 'a' }
  const { port } = await pluggedIn(context, [{ name: NAME, config }], {
    handler(_request, response) {
      const text = JSON.stringify(value)
      response.writeHead(200, { ...JSON_TYPE, 'Content-Length': text.length, ETag: '"1"' })
      response.write(text.slice(0, 9))
      response.end(text.slice(9))
    },
  })
  const { headers, body } = await ask(port, '/')
  assert.deepEqual(JSON.parse(body), { there: 2, list: [1, 3], scalar: ['a', 'b'], new: 1, flag: true, text: '1' })
  assert.deepEqual([headers['content-length'], headers.etag], [undefined, undefined])
})

test('a service that only ends its response, and one elsewhere, are changed too', async (context) => {
  const config = { add: { json: ['b:2'], headers: ['X-Added:1'] } }
  const plugins = [{ name: NAME, config }]
  const handler = (_request: unknown, response: import('node:http').ServerResponse) =>
    response.setHeader('content-type', 'application/json').end('{"a":1}')
  const here = await pluggedIn(context, plugins, { handler })
  const upstream = createServer((_request, response) => handler(_request, response))
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve))
  context.after(() => upstream.close())
  const origin = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
  const there = await pluggedIn(context, plugins, { resolve: () => ({ kind: 'remote', origin }) })
  for (const { port } of [here, there]) {
    const { body, headers } = await ask(port, '/')
    assert.deepEqual([body, headers['x-added']], ['{"a":1,"b":"2"}', '1'])
    assert.equal((await ask(port, '/', { method: 'HEAD' })).status, 200)
  }
})

test('what is no JSON object keeps its body, and a compressed one is never asked for', async (context) => {
  const bodies = ['[1]', '"text"', '{"broken":', 'plain']
  const { port, seen } = await pluggedIn(context, [{ name: NAME, config: { add: { json: ['b:2'] } } }], {
    handler(request, response) {
      const index = Number(request.url?.slice(1))
      response.writeHead(200, index === 3 ? { 'content-type': 'text/plain' } : JSON_TYPE).end(bodies[index])
    },
  })
  for (const [index, body] of bodies.entries()) {
    const answer = await ask(port, `/${index}`, { headers: { 'accept-encoding': 'gzip' } })
    assert.equal(answer.body, body)
  }
  assert.ok(seen.every((request) => request.headers['accept-encoding'] === undefined))
})

test('the gateway’s own answers are changed as well', async (context) => {
  const plugins = [
    { name: 'key-auth', config: {} },
    { name: NAME, config: { remove: { headers: ['WWW-Authenticate'], json: ['request_id'] } } },
  ]
  const { port } = await pluggedIn(context, plugins)
  const { status, headers, body } = await ask(port, '/')
  assert.deepEqual(
    [status, headers['www-authenticate'], JSON.parse(body)],
    [401, undefined, { message: 'No API key found in request' }],
  )
})

test('a response too large to be changed is cut off rather than shown unchanged', async (context) => {
  const { port } = await pluggedIn(context, [{ name: NAME, config: { remove: { json: ['secret'] } } }], {
    handler: (_request, response) => response.writeHead(200, JSON_TYPE).end(`"${'x'.repeat(9_000_000)}"`),
  })
  await assert.rejects(ask(port, '/'), { code: 'ECONNRESET' })
})

test('a response over HTTP/2 is changed as well, head and body, and keeps each of its cookies', async (context) => {
  const config = {
    remove: { headers: ['X-Gone'], json: ['secret'] },
    add: { headers: ['X-Added:yes'], json: ['more:1'] },
  }
  const server = createServer((_request, response) => {
    response.setHeader('Set-Cookie', ['a=1', 'b=2'])
    response.writeHead(200, { ...JSON_TYPE, 'X-Gone': '1' })
    response.write('{"secret":"s",')
    response.end('"kept":true}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  context.after(() => server.close())
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const { port } = await pluggedIn(context, [{ name: NAME, config }], { resolve: () => ({ kind: 'remote', origin }) })
  const client = connectHttp2(`http://127.0.0.1:${port}`)
  context.after(() => client.destroy())
  const stream = client.request({ ':path': '/' })
  const [headers] = await once(stream, 'response')
  let text = ''
  for await (const chunk of stream) text += chunk
  assert.deepEqual(
    [headers[':status'], headers['x-gone'], headers['x-added'], headers['set-cookie']],
    [200, undefined, 'yes', ['a=1', 'b=2']],
  )
  assert.deepEqual(JSON.parse(text), { kept: true, more: '1' })
})
