import assert from 'node:assert/strict'
import { test } from 'node:test'
import { INTERIM_RESPONSES_MAX } from '../limits.ts'
import { MalformedResponse } from './malformed.ts'
import type { ResponseHead } from './response-head.ts'
import { ResponseReader } from './response-reader.ts'

/** Reads `text` in pieces of `step` bytes; answers heads, body, trailers and what was left over. */
function read(text: string, { method = 'GET', step = text.length, switches = false, ends = false } = {}) {
  const heads: ResponseHead[] = []
  let body = ''
  const reader = new ResponseReader({
    onHead: (head) => void heads.push(head),
    onData: (data) => {
      body += data.toString('latin1')
    },
  })
  reader.expect(method, switches)
  const bytes = Buffer.from(text, 'latin1')
  let used = 0
  for (let at = 0; at < bytes.length; at += step) used += reader.read(bytes.subarray(at, at + step))
  if (ends) reader.end()
  return { heads, body, used, isComplete: reader.isComplete, trailers: reader.trailers, isSwitched: reader.isSwitched }
}

const OK = 'HTTP/1.1 200 OK\r\n'
const HINT = 'HTTP/1.1 103 Early Hints\r\n\r\n'
const CHUNKED = `${OK}Transfer-Encoding: chunked\r\n\r\n`

for (const [what, text, body, trailers] of [
  ['a length', `${OK}Content-Length: 5\r\n\r\nhello`, 'hello', []],
  ['chunks', `${CHUNKED}5\r\nhello\r\nA;x=1\r\n0123456789\r\n0\r\n\r\n`, 'hello0123456789', []],
  ['trailers', `${CHUNKED}1\r\nx\r\n0\r\nX-A: 1\r\nX-B: 2\r\n\r\n`, 'x', ['x-a', '1', 'x-b', '2']],
  ['no content', 'HTTP/1.1 204 No Content\r\n\r\n', '', []],
] as const) {
  test(`a response framed by ${what} is found whole, in whatever pieces it comes`, () => {
    for (const step of [1, 2, 3, 7, text.length]) {
      const found = read(text, { step })
      assert.deepEqual([found.body, found.isComplete, found.trailers], [body, true, trailers], `steps of ${step}`)
    }
  })
}

test('what comes behind a response is not taken for a part of it', () => {
  const whole = `${OK}Content-Length: 2\r\n\r\nok`
  assert.equal(read(`${whole}HTTP/1.1 200 OK\r\n`).used, whole.length)
})

test('interim heads come before the head, and an answer to HEAD has no body', () => {
  const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'
  const { heads, isComplete } = read(`${hints}${OK}Content-Length: 9\r\n\r\n`, { method: 'HEAD' })
  assert.deepEqual([heads.map(({ status }) => status), isComplete], [[103, 200], true])
})

test('a response without a length ends with its connection, which carries no other', () => {
  const open = read(`${OK}\r\nrest`)
  assert.deepEqual([open.isComplete, open.heads[0]?.keepsAlive], [false, false])
  const ended = read(`${OK}\r\nrest`, { ends: true })
  assert.deepEqual([ended.isComplete, ended.body], [true, 'rest'])
  assert.equal(read(`${OK}Content-Length: 9\r\n\r\nrest`, { ends: true }).isComplete, false)
})

test('a connection is not kept when its upstream says what cannot be', () => {
  const chunksIn10 = 'HTTP/1.0 200\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'
  const bodyOf204 = 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n'
  for (const text of [chunksIn10, bodyOf204]) {
    const { isComplete, heads } = read(text)
    assert.deepEqual([isComplete, heads[0]?.keepsAlive], [true, false], text)
  }
})

test('a connection is kept as its version and its headers say', () => {
  const keeps = (head: string) => read(`${head}Content-Length: 0\r\n\r\n`).heads[0]?.keepsAlive
  assert.deepEqual(
    [
      OK,
      `${OK}Connection: x, Close\r\n`,
      'HTTP/1.0 200 \r\n',
      'HTTP/1.0 200\r\nConnection: keep-alive\r\n',
      'HTTP/1.0 200\r\nConnection: keep-alive, close\r\n',
    ].map(keeps),
    [true, false, false, true, false],
  )
  const hinted = read(`${OK}Keep-Alive: max=5, timeout=7\r\nContent-Length: 0\r\n\r\n`)
  assert.equal(hinted.heads[0]?.idleSeconds, 7)
})

test('a connection leaves HTTP only if that was asked for', () => {
  const switching = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'
  const found = read(`${switching}frame`, { switches: true })
  assert.deepEqual([found.isSwitched, found.used], [true, switching.length])
  assert.throws(() => read(switching), MalformedResponse)
})

for (const [what, text] of [
  ['another protocol', 'SSH-2.0-x\r\n\r\n'],
  ['another version', 'HTTP/2.0 200 OK\r\n\r\n'],
  ['a status of two digits', 'HTTP/1.1 20 OK\r\n\r\n'],
  ['lines that end in a bare LF', `${OK}A: 1\nB: 2\r\n\r\n`],
  ['a bare CR in a value', `${OK}A: 1\r2\r\n\r\n`],
  ['a folded line', `${OK}A: 1\r\n 2\r\n\r\n`],
  ['a blank before the colon', `${OK}A : 1\r\n\r\n`],
  ['a name without a colon', `${OK}A\r\n\r\n`],
  ['a zero byte', `${OK}A: \0\r\n\r\n`],
  ['a length and a coding', `${OK}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`],
  ['two lengths', `${OK}Content-Length: 1\r\nContent-Length: 1\r\n\r\n`],
  ['a list of lengths', `${OK}Content-Length: 1, 1\r\n\r\n`],
  ['a length with a sign', `${OK}Content-Length: +1\r\n\r\n`],
  ['another coding', `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n`],
  ['a chunk whose size is none', `${CHUNKED}0x1\r\nx\r\n`],
  ['a chunk extension without a name', `${CHUNKED}1;=x\r\nx\r\n`],
  ['a chunk extension whose text does not end', `${CHUNKED}1;a="b\r\nx\r\n`],
  ['an interim answer of a version without them', `HTTP/1.0 100 Continue\r\n\r\n${OK}\r\n`],
  ['a negative chunk', `${CHUNKED}-1\r\nx\r\n`],
  ['a chunk that is longer than it says', `${CHUNKED}1\r\nxy\r\n`],
  ['a chunk’s size that ends in a bare LF', `${CHUNKED}1\nx\r\n`],
  ['a trailer that is none', `${CHUNKED}0\r\nno trailer\r\n\r\n`],
  ['a flood of interim answers', HINT.repeat(INTERIM_RESPONSES_MAX + 1)],
  ['an endless head', `${OK}A: ${'x'.repeat(70_000)}`],
  ['an endless chunk extension', `${CHUNKED}1;${'x'.repeat(70_000)}`],
] as const) {
  test(`${what} is refused`, () => {
    assert.throws(() => read(text), MalformedResponse)
    if (text.length < 1_000) assert.throws(() => read(text, { step: 1 }), MalformedResponse)
  })
}

test('each request may have as many interim answers as any', () => {
  const heads: ResponseHead[] = []
  const reader = new ResponseReader({ onHead: (head) => void heads.push(head), onData: () => {} })
  const answer = Buffer.from(`${HINT.repeat(INTERIM_RESPONSES_MAX)}${OK}Content-Length: 0\r\n\r\n`)
  for (const _request of [1, 2]) {
    reader.expect('GET', false)
    assert.equal(reader.read(answer), answer.length)
    assert.equal(reader.isComplete, true)
  }
  assert.equal(heads.length, 2 * (INTERIM_RESPONSES_MAX + 1))
})
