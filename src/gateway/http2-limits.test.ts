import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { addRoute, ask, ConfigFixture, startGateway } from './gateway-fixture.ts'

/** What clients do with HTTP/2 to wear a gateway down, frame by frame, and that it costs them their connection. */

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const [DATA, HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION] = [0x0, 0x1, 0x3, 0x4, 0x6, 0x9]
const [END_STREAM, END_HEADERS] = [0x1, 0x4]

function frame(type: number, flags: number, ...[stream, content = Buffer.alloc(0)]: [number, Buffer?]): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(content.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, content])
}

/** GET http / without Huffman codes: three headers of HPACK's table, and a literal one. */
const GET = Buffer.concat([Buffer.from([0x82, 0x86, 0x84, 0x41, 1]), Buffer.from('a')])

/** A header that HPACK writes out. */
const literal = (name: string, value: string) =>
  Buffer.concat([Buffer.from([0x00, name.length]), Buffer.from(name), lengthOf(value.length), Buffer.from(value)])

function lengthOf(length: number): Buffer {
  if (length < 127) return Buffer.from([length])
  const bytes = [127]
  let rest = length - 127
  for (; rest >= 128; rest >>= 7) bytes.push((rest & 127) | 128)
  return Buffer.from([...bytes, rest])
}

async function attack(context: TestContext) {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] })
  let served = 0
  const dispatch = (_request: IncomingMessage, response: ServerResponse) => {
    served += 1
    response.end('fine')
  }
  const running = await startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }) })
  const socket = connect(running.port, '127.0.0.1')
  context.after(() => socket.destroy())
  // What is sent to a connection that has been cut fails: that is the defence.
  socket.on('error', () => socket.destroy())
  socket.resume()
  socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]))
  return { ...running, socket, served: () => served }
}

/** Sends until the connection is cut; fails when it takes more than `framesMax`. */
async function floodUntilCut(socket: Socket, framesMax: number, make: (index: number) => Buffer): Promise<void> {
  for (let index = 0; index < framesMax && !socket.destroyed; index += 10) {
    const frames = Buffer.concat(Array.from({ length: 10 }, (_, offset) => make(index + offset)))
    await new Promise<void>((resolve) => socket.write(frames, () => resolve()))
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (!socket.closed) await once(socket, 'close')
}

const FLOOD = 100_000

const FLOODS: Readonly<Record<string, (index: number) => Buffer>> = {
  'streams that are reset as soon as they are opened (CVE-2023-44487)': (index) => {
    const stream = 2 * index + 1
    return Buffer.concat([
      frame(HEADERS, END_HEADERS | END_STREAM, stream, GET),
      frame(RST_STREAM, 0, stream, Buffer.from([0, 0, 0, 8])),
    ])
  },
  'a head that does not end (CVE-2024-27316)': (index) =>
    index === 0 ? frame(HEADERS, END_STREAM, 1, GET) : frame(CONTINUATION, 0, 1, literal('x', 'y'.repeat(100))),
  'pieces of a head that are empty': (index) =>
    index === 0 ? frame(HEADERS, END_STREAM, 1, GET) : frame(CONTINUATION, 0, 1),
  'data for a stream that is not there': () => frame(DATA, 0, 1, Buffer.alloc(100)),
}

for (const [what, make] of Object.entries(FLOODS)) {
  test(`the connection is cut for ${what}`, async (context) => {
    const { socket, port } = await attack(context)
    await floodUntilCut(socket, FLOOD, make)
    assert.equal((await ask(port, '/')).body, 'fine', 'others are served')
  })
}

for (const [what, headers] of [
  ['bytes', [literal('x', 'y'.repeat(40_000))]],
  ['headers', Array.from({ length: 210 }, (_, index) => literal(`x${index}`, 'y'))],
] as const) {
  test(`a head of too many ${what} is not served`, async (context) => {
    const { socket, served } = await attack(context)
    const head = Buffer.concat([GET, ...headers])
    const first = frame(HEADERS, END_STREAM, 1, head.subarray(0, 16_000))
    const rest = [16_000, 32_000].filter((at) => at < head.length)
    const more = rest.map((at, index) =>
      frame(CONTINUATION, index === rest.length - 1 ? END_HEADERS : 0, 1, head.subarray(at, at + 16_000)),
    )
    if (rest.length === 0) first.writeUInt8(END_STREAM | END_HEADERS, 4)
    const seen: Buffer[] = []
    socket.on('data', (chunk: Buffer) => seen.push(chunk))
    socket.write(Buffer.concat([first, ...more, frame(PING, 0, 0, Buffer.alloc(8))]))
    // The answer to the ping comes behind that to the head.
    while (!socket.closed && !Buffer.concat(seen).includes(frame(PING, 1, 0, Buffer.alloc(8)))) {
      await Promise.race([once(socket, 'data'), once(socket, 'close')])
    }
    assert.equal(served(), 0)
  })
}
