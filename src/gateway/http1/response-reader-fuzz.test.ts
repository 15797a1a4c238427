import assert from 'node:assert/strict'
import { request as requestHttp } from 'node:http'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import { randomSequence } from '../../core/index.ts'
import { RESPONSE_HEAD_BYTES_MAX } from '../limits.ts'
import { MalformedResponse } from './malformed.ts'
import { FUZZ_SEED, generateResponse, mutate, shown, split } from './response-fuzz-fixture.ts'
import type { ResponseHead } from './response-head.ts'
import { ResponseReader } from './response-reader.ts'

/** What a reader took a response for. */
type Reading = {
  readonly statuses: readonly number[]
  readonly headers: readonly string[]
  /** As Latin-1. */
  readonly body: string
  readonly trailers: readonly string[]
}

/** Of our reader: how many bytes it took for the response, and whether the connection could carry another. */
type OwnReading = Reading & { readonly used: number; readonly keepsAlive: boolean }

const VALID_CASES = 1_500
const MUTATED_CASES = 3_000

/** Reads a response that comes in pieces and then ends with its connection. */
function read(pieces: readonly Buffer[], method: string): OwnReading | 'malformed' | 'broken off' {
  const heads: ResponseHead[] = []
  let body = ''
  let used = 0
  const reader = new ResponseReader({
    onHead: (head) => void heads.push(head),
    onData: (data) => {
      body += data.toString('latin1')
    },
  })
  reader.expect(method, false)
  try {
    for (const piece of pieces) used += reader.read(piece)
  } catch (error) {
    // Anything else is what this test is for.
    if (error instanceof MalformedResponse) return 'malformed'
    throw error
  }
  const [head, endedByItself] = [heads.at(-1), reader.isComplete]
  if (!reader.end() || head === undefined) return 'broken off'
  const keepsAlive = endedByItself && head.keepsAlive
  const { headers } = head
  return { statuses: heads.map(({ status }) => status), headers, body, trailers: reader.trailers, used, keepsAlive }
}

/** What Node's own client, which is strict, takes the same bytes for; undefined when it refuses them. */
function readByNode(bytes: Buffer, method: string): Promise<Reading | undefined> {
  return new Promise((resolve) => {
    const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    const request = requestHttp({ method, createConnection: () => socket, maxHeaderSize: RESPONSE_HEAD_BYTES_MAX * 2 })
    const statuses: number[] = []
    request.on('information', ({ statusCode }) => statuses.push(statusCode))
    request.on('error', () => resolve(undefined))
    request.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => resolve(undefined))
      response.on('end', () => {
        const [headers, trailers] = [response.rawHeaders, response.rawTrailers].map(withLowerNames)
        const body = Buffer.concat(chunks).toString('latin1')
        statuses.push(response.statusCode ?? 0)
        resolve({ statuses, headers: headers ?? [], body, trailers: trailers ?? [] })
      })
    })
    request.end()
    socket.push(bytes)
    socket.push(null)
  })
}

const withLowerNames = (pairs: readonly string[]) =>
  pairs.map((text, index) => (index % 2 === 0 ? text.toLowerCase() : text))

test(`every valid response is read as it was written, in whatever pieces (FUZZ_SEED=${FUZZ_SEED})`, () => {
  const random = randomSequence(FUZZ_SEED)
  for (let index = 0; index < VALID_CASES; index++) {
    const { method, bytes, body, endsByClose, ...said } = generateResponse(random)
    // What comes behind it, unless that is its body, must stay out of it.
    const next = endsByClose ? '' : 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'
    const found = read(split(random, Buffer.concat([bytes, Buffer.from(next)])), method)
    const expected = { ...said, body: body.toString('latin1'), used: bytes.length }
    assert.deepEqual(found, expected, `case ${index}: ${method} ${shown(bytes)}`)
  }
})

test(`a damaged response is refused, or read as Node reads it (FUZZ_SEED=${FUZZ_SEED})`, async () => {
  const random = randomSequence(FUZZ_SEED)
  let accepted = 0
  for (let index = 0; index < MUTATED_CASES; index++) {
    const { method, bytes } = generateResponse(random)
    const damaged = mutate(random, bytes)
    const what = `case ${index}: ${method} ${shown(damaged)}`
    const found = read([damaged], method)
    assert.deepEqual(read(split(random, damaged), method), found, `the pieces matter in ${what}`)
    // Blanks behind the coding belong to no value (RFC 9112, 5.1), but make Node read until the end.
    if (typeof found === 'string' || /chunked[\t ]+\r\n/i.test(String(damaged))) continue
    // Node refuses a length among trailers; we read it as any field, and the gateway leaves it out (RFC 9110, 6.5.1).
    if (found.trailers.includes('content-length')) continue
    accepted += 1
    const { used, keepsAlive: _, ...reading } = found
    assert.deepEqual(reading, await readByNode(damaged.subarray(0, used), method), what)
  }
  assert.ok(accepted > MUTATED_CASES / 10, `only ${accepted} of them were readable: the damage is too great to tell`)
})
