import assert from 'node:assert/strict'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import type { GatewayOptions } from './gateway.ts'
import { addRoute, ConfigFixture, startGateway } from './gateway-fixture.ts'
import { REQUEST_HEADERS_MAX } from './limits.ts'

/** What clients send that is no proper HTTP/1.1, byte for byte, and what the gateway says to it. */

/** A gateway before a service in this process that tells what it saw, and how often it was asked. */
async function withEcho(context: TestContext, options: Partial<GatewayOptions> = {}) {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'], strip_path: false, preserve_host: true })
  const seen: string[] = []
  const dispatch = (request: IncomingMessage, response: ServerResponse) => {
    const answer = (body: string) => {
      seen.push(`${request.method} ${request.url}`)
      response.end(JSON.stringify({ url: request.url, headers: request.headers, body }))
    }
    text(request).then(answer, () => response.destroy())
  }
  return {
    seen,
    config,
    ...(await startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }), ...options })),
  }
}

/** Sends bytes (Latin-1) and reads until the gateway ends the connection. */
function send(port: number, ...parts: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => {
      for (const part of parts) socket.write(part, 'latin1')
    })
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => resolve(text))
  })
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])
const get = (...lines: readonly string[]) => ['GET / HTTP/1.1', ...lines, '', ''].join('\r\n')
const post = (...lines: readonly string[]) => `${['POST / HTTP/1.1', 'Host: a', ...lines].join('\r\n')}\r\n\r\n`
const chunked = (body: string) => post('Transfer-Encoding: chunked') + body
const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n'

const REFUSED: Readonly<Record<string, readonly [status: number, bytes: string]>> = {
  'two lengths that differ': [400, post('Content-Length: 1', 'Content-Length: 2') + hidden],
  'the same length twice': [400, `${post('Content-Length: 1', 'Content-Length: 1')}a${hidden}`],
  'a list of lengths': [400, `${post('Content-Length: 1, 1')}a${hidden}`],
  'a length with a sign': [400, `${post('Content-Length: +1')}a${hidden}`],
  'a length and chunks': [400, `${post('Content-Length: 3', 'Transfer-Encoding: chunked')}0\r\n\r\n${hidden}`],
  'chunks and a length': [400, `${post('Transfer-Encoding: chunked', 'Content-Length: 3')}0\r\n\r\n${hidden}`],
  'chunked twice': [400, `${post('Transfer-Encoding: chunked, chunked')}0\r\n\r\n${hidden}`],
  'a coding after chunked': [400, `${post('Transfer-Encoding: chunked, gzip')}0\r\n\r\n${hidden}`],
  'a coding that is only like chunked': [501, `${post('Transfer-Encoding: xchunked')}0\r\n\r\n${hidden}`],
  'a coding behind a vertical tab': [400, `${post('Transfer-Encoding: \x0bchunked')}0\r\n\r\n${hidden}`],
  'a coding before chunked': [501, `${post('Transfer-Encoding: gzip, chunked')}0\r\n\r\n${hidden}`],
  'chunks in HTTP/1.0': [400, `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${hidden}`],
  'a chunk size with 0x': [400, `${chunked('0x1\r\na\r\n0\r\n\r\n')}${hidden}`],
  'a negative chunk size': [400, `${chunked('-1\r\na\r\n0\r\n\r\n')}${hidden}`],
  'a chunk size beyond 64 bits': [400, `${chunked('fffffffffffffffff\r\na\r\n0\r\n\r\n')}${hidden}`],
  'a bare LF after a chunk size': [400, `${chunked('1\na\r\n0\r\n\r\n')}${hidden}`],
  'a bare LF after a chunk': [400, `${chunked('1\r\na\n0\r\n\r\n')}${hidden}`],
  'a bare LF in a chunk extension': [400, `${chunked('1;a\nb\r\na\r\n0\r\n\r\n')}${hidden}`],
  'chunk extensions without end': [413, chunked(`1;${'a'.repeat(20_000)}\r\na\r\n0\r\n\r\n`)],
  'a length among the trailers': [400, `${chunked('0\r\nContent-Length: 5\r\n\r\n')}${hidden}`],
  'a bare LF after the request line': [400, 'GET / HTTP/1.1\nHost: a\r\n\r\n'],
  'a bare LF after a header': [400, 'GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n'],
  'a bare LF at the end of the head': [400, 'GET / HTTP/1.1\r\nHost: a\r\n\n'],
  'a bare CR in a value': [400, get('Host: a', 'X: a\rb')],
  'a NUL in a value': [400, get('Host: a', 'X: a\0b')],
  'a control character in a value': [400, get('Host: a', 'X: a\x01b')],
  'a folded line': [400, get('Host: a', 'X: a', ' b')],
  'a line folded with a tab': [400, get('Host: a', 'X: a', '\tb')],
  'a space before the first header': [400, get(' X: a', 'Host: a')],
  'a space before a colon': [400, get('Host : a')],
  'a tab before a colon': [400, get('Host: a', 'X\t: a')],
  'a header without a name': [400, get('Host: a', ': a')],
  'a name with parentheses': [400, get('Host: a', 'X(y): a')],
  'a name beyond ASCII': [400, get('Host: a', 'X\xe9: a')],
  'a header without a colon': [400, get('Host: a', 'nonsense')],
  'two hosts': [400, get('Host: a', 'hOST: b')],
  'the same host twice': [400, get('Host: a', 'Host: a')],
  'no host': [400, get()],
  'an empty host': [400, get('Host:')],
  'a host with a path': [400, get('Host: a/b')],
  'a host with a user': [400, get('Host: a@b')],
  'two hosts in one header': [400, get('Host: a, b')],
  'an identity in underscores': [400, get('Host: a', 'X_Consumer_Username: admin')],
  'a tab in the target': [400, 'GET /a\tb HTTP/1.1\r\nHost: a\r\n\r\n'],
  'a space in the target': [400, 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n'],
  'a byte beyond ASCII in the target': [400, 'GET /\xe9 HTTP/1.1\r\nHost: a\r\n\r\n'],
  'a fragment in the target': [400, 'GET /a#/../b HTTP/1.1\r\nHost: a\r\n\r\n'],
  'a backslash in the path': [400, 'GET /a\\..\\b HTTP/1.1\r\nHost: a\r\n\r\n'],
  'a percent sign that escapes nothing': [400, 'GET /% HTTP/1.1\r\nHost: a\r\n\r\n'],
  'an escape of no digits': [400, 'GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n'],
  'an escaped NUL in the path': [400, 'GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n'],
  'an asterisk': [400, 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n'],
  'a user in an absolute target': [400, 'GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n'],
  'an absolute target of another scheme': [400, 'GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n'],
  'a tunnel': [405, 'CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n'],
  'a method in lower case': [400, 'get / HTTP/1.1\r\nHost: a\r\n\r\n'],
  'HTTP/0.9': [505, 'GET /\r\n\r\n'],
  'HTTP/2 on an HTTP/1 connection': [505, 'GET / HTTP/2.0\r\nHost: a\r\n\r\n'],
  'HTTP/1.2': [400, 'GET / HTTP/1.2\r\nHost: a\r\n\r\n'],
  'an expectation that is unknown': [417, `${post('Expect: 200-ok', 'Content-Length: 1')}a`],
  'a long target': [414, `GET /${'a'.repeat(10_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
  'a target longer than any head': [414, `GET /${'a'.repeat(60_000)} HTTP/1.1\r\nHost: a\r\n\r\n`],
  'a large head': [400, get('Host: a', `X: ${'a'.repeat(40_000)}`)],
  'many headers': [400, get('Host: a', ...Array.from({ length: REQUEST_HEADERS_MAX }, (_, index) => `x${index}: 1`))],
}

test('no request that is ambiguous or malformed reaches a service, nor does what follows it', async (context) => {
  const { port, seen } = await withEcho(context)
  for (const [what, [status, bytes]] of Object.entries(REFUSED)) {
    const answer = await send(port, bytes)
    assert.equal(statusOf(answer), status, `${what}: ${answer}`)
    assert.match(answer, /\r\nConnection: close\r\n/i, what)
    assert.match(answer, /\r\nX-Kong-Request-Id: [0-9a-f]{32}\r\n/, what)
    assert.equal(answer.split('HTTP/1.1 ').length, 2, `${what}: one answer\n${answer}`)
  }
  assert.deepEqual(seen, [])
})

test('what is allowed, though rare, is served', async (context) => {
  const { port } = await withEcho(context)
  for (const [what, bytes, expected] of [
    [
      'an absolute target',
      'GET http://b.example:81/x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
      '"url":"/x?y"',
    ],
    ['its host', 'GET http://b.example:81/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', '"host":"b.example:81"'],
    ['escapes', 'GET /a%2Fb%C3%A9?%zz%00 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', '/a%2Fb%C3%A9?%zz%00'],
    ['HTTP/1.0 without a host', 'GET /old HTTP/1.0\r\n\r\n', '"url":"/old"'],
    ['empty lines before', '\r\n\r\nGET /late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', '"url":"/late"'],
    ['what browsers leave', "GET /a|'b?c={d}|^`\\ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "/a|'b?c={d}|^`"],
    ['an address', 'GET / HTTP/1.1\r\nHost: [::1]:8000\r\nConnection: close\r\n\r\n', '"host":"[::1]:8000"'],
    [
      'trailers',
      `${post('Transfer-Encoding: chunked', 'Connection: close')}1\r\nx\r\n0\r\nX-T: 1\r\n\r\n`,
      '"body":"x"',
    ],
  ] as const) {
    const answer = await send(port, bytes)
    assert.equal(statusOf(answer), 200, `${what}: ${answer}`)
    assert.ok(answer.includes(expected), `${what}: ${answer}`)
  }
})

test('requests sent without waiting are answered in their order', async (context) => {
  const { port, seen } = await withEcho(context)
  const sent = `${post('Content-Length: 3')}abc${get('Host: a')}`.replace('GET / ', 'GET /2 ')
  const answer = await send(port, sent, 'GET /3 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const order = [...answer.matchAll(/"url":"(.*?)"/g)].map(([, url]) => url)
  assert.deepEqual([order, seen.length], [['/', '/2', '/3'], 3])
})

test('nothing is answered behind an answer that ends the connection', async (context) => {
  const { port } = await withEcho(context)
  const answer = await send(port, get('Host: a', 'Connection: close'), hidden)
  assert.equal(answer.split('HTTP/1.1 ').length, 2)
})

const slowly = { checkMs: 10, headMs: 50, requestMs: 100 }

for (const [what, bytes] of [
  ['the head', 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: '],
  ['anything', ''],
] as const) {
  test(`a client that is slow to send ${what} is told so, and its connection closed`, async (context) => {
    const { port, seen } = await withEcho(context, { clientTimeouts: slowly })
    assert.equal(statusOf(await send(port, bytes)), 408)
    assert.deepEqual(seen, [])
  })
}

test('a client that is slow to send a body loses its connection', async (context) => {
  const { port, seen } = await withEcho(context, { clientTimeouts: slowly })
  assert.equal(statusOf(await send(port, `${post('Content-Length: 10')}abc`)), 408)
  assert.deepEqual(seen, [])
})

test('a body is asked for when somebody reads it, and not of a request that is refused', async (context) => {
  const { port } = await withEcho(context)
  const asks = (method: string) => `${method} / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n`
  const accepted = await send(port, `${asks('POST')}Connection: close\r\n\r\nx`)
  assert.match(accepted, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n[\s\S]*"body":"x"/)
  const refused = await send(port, `${asks('TRACE')}\r\n`)
  assert.match(refused, /^HTTP\/1\.1 405 [\s\S]*\r\nConnection: close\r\n/)
})

test('who comes to a route for HTTPS without is told so, and where to; the connection ends if it was to', async (context) => {
  const { config, port } = await withEcho(context)
  for (const entry of config.snapshot().routes) config.remove('routes', entry.id)
  const service = { id: config.snapshot().services[0]?.id }
  config.add('routes', { hosts: ['told'], protocols: ['https'], service })
  config.add('routes', { hosts: ['sent'], protocols: ['https'], https_redirect_status_code: 308, service })
  const last = ['Host: told', 'Connection: close', '', ''].join('\r\n')
  assert.match(
    await send(port, `GET /a HTTP/1.1\r\n${last}`),
    /^HTTP\/1\.1 426 [\s\S]*\r\nConnection: Upgrade, close\r\n/,
  )
  assert.match(await send(port, 'GET /a HTTP/1.0\r\nHost: told\r\n\r\n'), /^HTTP\/1\.1 426 /)
  const kept = await send(port, 'GET /a HTTP/1.1\r\nHost: told\r\n\r\n', `GET /b HTTP/1.1\r\n${last}`)
  assert.deepEqual(
    [...kept.matchAll(/^Connection: (.*)\r$/gm)].map(([, value]) => value),
    ['Upgrade', 'Upgrade, close'],
  )
  const absolute = 'GET http://sent:8000/p?q HTTP/1.1\r\nHost: sent:8000\r\nConnection: close\r\n\r\n'
  assert.match(await send(port, absolute), /^HTTP\/1\.1 308 [\s\S]*\r\nLocation: https:\/\/sent\/p\?q\r\n/)
})
