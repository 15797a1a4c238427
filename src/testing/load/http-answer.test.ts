import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Answer, createAnswerReader } from './http-answer.ts'

const PLAIN = 'HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
const CHUNKED =
  'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{"a"\r\n5;ext=1\r\n:"é"\r\n1\r\n}\r\n0\r\nx-trailer: 1\r\n\r\n'

function readInPieces(text: string, size: number): Answer | undefined {
  const reader = createAnswerReader(1_000_000)
  const bytes = Buffer.from(text, 'utf8')
  // Every read lands in the same buffer, as it does on a connection.
  const buffer = Buffer.alloc(size)
  let answer: Answer | undefined
  for (let start = 0; start < bytes.length; start += size) {
    assert.equal(answer, undefined, 'an answer came before its last byte')
    const length = bytes.copy(buffer, 0, start, start + size)
    answer = reader.push(buffer.subarray(0, length))
  }
  return answer
}

test('an answer is the same however its bytes arrive', () => {
  for (const size of [1, 2, 3, 7, 16, 64, 1_000]) {
    assert.deepEqual(readInPieces(PLAIN, size), { status: 202, body: '{"ok":true}', reusable: true })
    assert.deepEqual(readInPieces(CHUNKED, size), { status: 200, body: '{"a":"é"}', reusable: true })
  }
})

test('answers without a body end with their head', () => {
  for (const status of ['204 No Content', '304 Not Modified']) {
    assert.equal(readInPieces(`HTTP/1.1 ${status}\r\n\r\n`, 64)?.body, '')
  }
})

test('an interim answer is skipped', () => {
  assert.equal(readInPieces(`HTTP/1.1 100 Continue\r\n\r\n${PLAIN}`, 9)?.status, 202)
})

test('a body without a length ends when the connection closes', () => {
  const reader = createAnswerReader(1_000)
  assert.equal(reader.push(Buffer.from('HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\nno length')), undefined)
  assert.deepEqual(reader.end(), { status: 500, body: 'no length', reusable: false })
})

test('a connection that closes in the middle of an answer gives none', () => {
  const reader = createAnswerReader(1_000)
  assert.equal(reader.push(Buffer.from(PLAIN.slice(0, -3))), undefined)
  assert.equal(reader.end(), undefined)
})

test('a connection is not used again when the server closes it or is out of step', () => {
  assert.equal(readInPieces(PLAIN.replace('\r\n\r\n', '\r\nConnection: close\r\n\r\n'), 500)?.reusable, false)
  assert.equal(readInPieces(PLAIN.replace('HTTP/1.1', 'HTTP/1.0'), 500)?.reusable, false)
  assert.equal(readInPieces(`${PLAIN}HTTP`, 500)?.reusable, false)
})

test('what is not HTTP/1.1, or too large, is refused', () => {
  assert.throws(() => readInPieces('SSH-2.0-OpenSSH_9.6\r\n', 64), /not HTTP/)
  const reader = createAnswerReader(100)
  assert.throws(
    () => reader.push(Buffer.from(`HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n${'x'.repeat(200)}`)),
    /larger/,
  )
})
