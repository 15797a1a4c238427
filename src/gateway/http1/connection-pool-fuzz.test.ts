import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { type Random, randomSequence } from '../../core/index.ts'
import type { CallHandler, CallRequest } from './call.ts'
import { ConnectionPool } from './connection-pool.ts'
import { FUZZ_SEED, generateResponse, mutate, shown, split } from './response-fuzz-fixture.ts'
import type { ResponseHead } from './response-head.ts'

/** What the upstream does with one request, and what its client may take it for. */
type Case = {
  readonly method: 'GET' | 'HEAD'
  /** Written one by one. */
  readonly pieces: readonly Buffer[]
  readonly afterwards: 'keep' | 'end' | 'reset'
  /** The body that must come; undefined when it need not, and a failure is right as well. */
  readonly body: string | undefined
  /** Whether the next request must come on the same connection; undefined when either is right. */
  readonly isReused: boolean | undefined
}

/** What came of a request. */
type Outcome = { readonly heads: readonly ResponseHead[]; readonly body: string; readonly error: Error | undefined }

const CASES = 400
const PIECES_MAX = 20
const ATTEMPTS_MAX = 10

/** Named in the answer that nobody asked for. */
const SMUGGLED = 'HTTP/1.1 200 OK\r\nX-Case: smuggled\r\nContent-Length: 8\r\n\r\nsmuggled'

function caseOf(random: Random, index: number): Case {
  const kind = random()
  const { method, bytes, body, ...response } = generateResponse(random, ['x-case', String(index)])
  const pieces = split(random, bytes)
  const few = pieces.length <= PIECES_MAX ? pieces : [...pieces.slice(0, PIECES_MAX), ...rest(bytes, pieces)]
  const isKept = response.keepsAlive
  if (kind < 0.6) {
    const afterwards = response.endsByClose ? 'end' : 'keep'
    return { method, pieces: few, afterwards, body: body.toString('latin1'), isReused: isKept }
  }
  if (kind < 0.7 && !response.endsByClose) {
    const behind = random() < 0.5 ? SMUGGLED : SMUGGLED.slice(0, 1 + Math.floor(random() * 10))
    const whole = Buffer.concat([bytes, Buffer.from(behind)])
    return { method, pieces: [whole], afterwards: 'keep', body: body.toString('latin1'), isReused: false }
  }
  const afterwards = random() < 0.5 ? 'end' : 'reset'
  const damaged = random() < 0.3 ? bytes.subarray(0, Math.floor(random() * bytes.length)) : mutate(random, bytes)
  return { method, pieces: [damaged], afterwards, body: undefined, isReused: undefined }
}

const rest = (bytes: Buffer, pieces: readonly Buffer[]) => [
  bytes.subarray(pieces.slice(0, PIECES_MAX).reduce((sum, { length }) => sum + length, 0)),
]

/** Answers `GET /7` as the seventh case says, and notes on which connection. */
async function startUpstream(context: TestContext, cases: readonly Case[]) {
  const sockets = new Set<Socket>()
  const answeredOn = new Map<number, Socket>()
  const answer = async (socket: Socket, index: number) => {
    const { pieces, afterwards } = cases[index] as Case
    assert.ok(!answeredOn.has(index), `case ${index} was answered, and asked again`)
    answeredOn.set(index, socket)
    for (const piece of pieces) {
      socket.write(piece)
      await new Promise(setImmediate)
    }
    if (afterwards === 'end') socket.end()
    if (afterwards === 'reset') socket.resetAndDestroy()
  }
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    let text = ''
    socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket))
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      const index = /^\w+ \/(\d+) .*\r\n\r\n$/s.exec(text)?.[1]
      if (index === undefined) return
      text = ''
      // After its end it has nothing to say: the request comes again on another connection.
      if (socket.writable) void answer(socket, Number(index))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const tls = { verify: true, authorities: undefined, depthMax: undefined, client: undefined, key: '' }
  const pool = new ConnectionPool({
    origin: `http://127.0.0.1:${port}`,
    connectTimeoutMs: 60_000,
    serverName: undefined,
    tls,
  })
  context.after(() => {
    pool.destroy()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { pool, answeredOn }
}

function ask(pool: ConnectionPool, index: number, method: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const heads: ResponseHead[] = []
    let body = ''
    let isOver = false
    const end = (error?: Error) => {
      assert.ok(!isOver, `case ${index} ended twice`)
      isOver = true
      resolve({ heads, body, error })
    }
    const handler: CallHandler = {
      onSent() {},
      onUnsent() {},
      onProgress() {},
      onHead: (head) => void heads.push(head),
      onData(data) {
        assert.ok(!isOver, `case ${index} goes on after its end`)
        body += data.toString('latin1')
      },
      onEnd: () => end(),
      onUpgrade: (_head, socket) => void socket.destroy(),
      onError: end,
    }
    const request: CallRequest = {
      method,
      path: `/${index}`,
      headers: { host: 'x' },
      body: null,
      upgrades: false,
      silenceMs: 60_000,
    }
    pool.send(request, handler)
  })
}

type Asking = { readonly method: string; readonly isAnswered: () => boolean }

/** As the gateway does: a connection that its upstream had closed already is no answer. */
async function askUntilAnswered(pool: ConnectionPool, index: number, { method, isAnswered }: Asking) {
  for (let attempt = 1; ; attempt++) {
    const outcome = await ask(pool, index, method)
    if (outcome.error === undefined || isAnswered() || attempt === ATTEMPTS_MAX) return outcome
  }
}

function check(index: number, one: Case, { heads, body, error }: Outcome): void {
  const what = `case ${index}, FUZZ_SEED=${FUZZ_SEED}: ${one.method} ${shown(Buffer.concat(one.pieces))}`
  assert.ok(!heads.some(({ headers }) => headers.includes('smuggled')), `what nobody asked for was taken: ${what}`)
  if (one.body === undefined) return
  assert.equal(error, undefined, what)
  const at = heads.at(-1)?.headers.indexOf('x-case') ?? -1
  assert.equal(heads.at(-1)?.headers[at + 1], String(index), `the answer is another’s: ${what}`)
  assert.equal(body, one.body, what)
}

for (const lanes of [1, 8]) {
  test(`requests, ${lanes} at a time, get their own answers whatever an upstream does (FUZZ_SEED=${FUZZ_SEED})`, async (context) => {
    const random = randomSequence(FUZZ_SEED + lanes)
    const cases = Array.from({ length: CASES }, (_, index) => caseOf(random, index))
    const { pool, answeredOn } = await startUpstream(context, cases)
    let next = 0
    const lane = async () => {
      for (let index = next++; index < CASES; index = next++) {
        const one = cases[index] as Case
        const asking = { method: one.method, isAnswered: () => answeredOn.has(index) }
        check(index, one, await askUntilAnswered(pool, index, asking))
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
    if (lanes > 1) return
    for (const [index, { isReused }] of cases.slice(0, -1).entries()) {
      if (isReused === undefined) continue
      const what = `case ${index}: ${shown(Buffer.concat(cases[index]?.pieces ?? []))}`
      assert.equal(answeredOn.get(index) === answeredOn.get(index + 1), isReused, what)
    }
  })
}
