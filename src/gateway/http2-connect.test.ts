import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../testing/index.ts'
import { addRoute, ConfigFixture, startGateway } from './gateway-fixture.ts'

/**
 * Tunnels and WebSockets over HTTP/2 are not spoken. Clients ask first whether they are (RFC 8441, section 3), and take
 * a connection of HTTP/1.1 for a WebSocket when they are not; whoever does not ask is refused.
 */

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
const [HEADERS, RST_STREAM, SETTINGS] = [0x1, 0x3, 0x4]
const [END_HEADERS, FRAME_HEAD_BYTES] = [0x4, 9]
const ENABLE_CONNECT_PROTOCOL = 0x8

type Frame = { readonly type: number; readonly stream: number; readonly content: Buffer }

function frameText(type: number, flags: number, { stream, content }: Omit<Frame, 'type'>): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUIntBE(content.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, content])
}

/** Those that have come whole. */
function framesIn(bytes: Buffer): readonly Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at + FRAME_HEAD_BYTES <= bytes.length; ) {
    const end = at + FRAME_HEAD_BYTES + bytes.readUIntBE(at, 3)
    if (end > bytes.length) break
    const content = bytes.subarray(at + FRAME_HEAD_BYTES, end)
    frames.push({ type: bytes.readUInt8(at + 3), stream: bytes.readUInt32BE(at + 5), content })
    at = end
  }
  return frames
}

/** Headers that HPACK writes out. */
const written = (headers: Readonly<Record<string, string>>) =>
  Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [
      Buffer.from([0, name.length]),
      Buffer.from(name),
      Buffer.from([value.length]),
      Buffer.from(value),
    ]),
  )

async function served(context: TestContext) {
  const config = new ConfigFixture()
  addRoute(config, { paths: ['/'] })
  const dispatch = () => assert.fail('no service is asked')
  return startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }) })
}

test('a gateway does not say that it speaks WebSocket over HTTP/2, and resets what is sent all the same', async (context) => {
  const { port } = await served(context)
  const socket = connect(port, '127.0.0.1')
  context.after(() => socket.destroy())
  let bytes = Buffer.alloc(0)
  socket
    .on('error', () => socket.destroy())
    .on('data', (more) => {
      bytes = Buffer.concat([bytes, more])
    })
  const asked = { ':method': 'CONNECT', ':protocol': 'websocket', ':scheme': 'http', ':path': '/', ':authority': 'a' }
  const settings = frameText(SETTINGS, 0, { stream: 0, content: Buffer.alloc(0) })
  socket.write(Buffer.concat([PREFACE, settings]))
  socket.write(frameText(HEADERS, END_HEADERS, { stream: 1, content: written(asked) }))
  const reset = () => framesIn(bytes).find(({ type, stream }) => type === RST_STREAM && stream === 1)
  await until(() => reset() !== undefined || socket.destroyed, { what: 'the refusal' })
  assert.equal(reset()?.content.readUInt32BE(0), constants.NGHTTP2_PROTOCOL_ERROR)
  const said = framesIn(bytes).filter(({ type }) => type === SETTINGS)
  const ids = said.flatMap(({ content }) =>
    Array.from({ length: content.length / 6 }, (_, at) => content.readUInt16BE(at * 6)),
  )
  assert.ok(said.length > 0)
  assert.equal(ids.includes(ENABLE_CONNECT_PROTOCOL), false)
})

test('a tunnel over HTTP/2 is refused', async (context) => {
  const { port } = await served(context)
  const session: ClientHttp2Session = connectHttp2(`http://127.0.0.1:${port}`)
  context.after(() => session.destroy())
  const stream: ClientHttp2Stream = session.request({ ':method': 'CONNECT', ':authority': 'a:443' })
  const [headers] = await once(stream, 'response')
  assert.equal(headers[':status'], 405)
  stream.close()
})
