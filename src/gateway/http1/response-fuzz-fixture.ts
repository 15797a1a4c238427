import type { Random } from '../../core/index.ts'

/** What a generated response says, and how it must be read. */
export type GeneratedResponse = {
  /** Of the request that it answers. */
  readonly method: 'GET' | 'HEAD'
  /** Interim heads, head, body, trailers. */
  readonly bytes: Buffer
  /** Of the interim heads, then of the head. */
  readonly statuses: readonly number[]
  /** Of the last head: names, in lower case, and values in turn. */
  readonly headers: readonly string[]
  readonly body: Buffer
  readonly trailers: readonly string[]
  /** Only the end of the connection ends it. */
  readonly endsByClose: boolean
  readonly keepsAlive: boolean
}

/** The suite runs the same cases each time; to look for more, `FUZZ_SEED=… node --test …`. */
export const FUZZ_SEED = Number(process.env.FUZZ_SEED ?? 1)

/** `marks`: headers and values in turn that the head has besides others. */
export function generateResponse(random: Random, marks: readonly string[] = []): GeneratedResponse {
  const pick = <T>(...choices: readonly T[]) => choices[Math.floor(random() * choices.length)] as T
  const method = pick<'GET' | 'HEAD'>('GET', 'GET', 'GET', 'HEAD')
  const status = pick(200, 200, 200, 201, 204, 304, 404, 500, 599)
  const isBodiless = method === 'HEAD' || status === 204 || status === 304
  const framing = pick('length', 'chunked', 'close')
  const content = bytesOf(random, pick(0, 1, 7, 300, 5_000))
  const trailers = framing === 'chunked' && !isBodiless ? fieldsOf(random, pick(0, 0, 2)) : []
  const connection = pick('', '', '', 'keep-alive', 'close', 'x-a, Close')
  const headers = [...fieldsOf(random, pick(0, 1, 5)), ...marks]
  if (connection !== '') headers.push('connection', connection)
  // A response to HEAD, or a 304, may say of what length the body would be; a 204 may not.
  if (framing === 'length' && status !== 204) headers.push('content-length', String(content.length))
  if (framing === 'chunked' && status !== 204) headers.push('transfer-encoding', 'chunked')
  const interim = Array.from({ length: pick(0, 0, 0, 1, 3) }, () => pick(100, 102, 103))
  const heads = [
    ...interim.map((code) => headText(random, code, fieldsOf(random, 1))),
    headText(random, status, headers),
  ]
  const endsByClose = framing === 'close' && !isBodiless
  const isChunked = framing === 'chunked' && !isBodiless
  const sent = isChunked ? chunksOf(random, content, trailers) : isBodiless ? Buffer.alloc(0) : content
  return {
    method,
    bytes: Buffer.concat([Buffer.from(heads.join(''), 'latin1'), sent]),
    statuses: [...interim, status],
    headers,
    body: isBodiless ? Buffer.alloc(0) : content,
    trailers,
    endsByClose,
    keepsAlive: !endsByClose && !/close/i.test(connection),
  }
}

/** In pieces as a network might hand them over: often whole, sometimes byte by byte. */
export function split(random: Random, bytes: Buffer): readonly Buffer[] {
  const longest = [1, 3, 40, 1_000, bytes.length][Math.floor(random() * 5)] ?? 1
  const pieces: Buffer[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = at + 1 + Math.floor(random() * Math.max(1, longest))
    pieces.push(bytes.subarray(at, end))
    at = end
  }
  return pieces
}

/** Bytes that mean something in HTTP, and that two readers could disagree about. */
const FRAGMENTS = [
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  '\0',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '0',
  '00',
  '-1',
  '+1',
  '0x1',
  '\xa0',
  '\x7f',
  '\xff',
  '\x0b',
  '\r\n ',
  'Content-Length: 0\r\n',
  'Content-Length: 5\r\n',
  'Content-Length : 5\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: identity\r\n',
  'Transfer-Encoding:\x0bchunked\r\n',
  'Transfer-Encoding: chunked, chunked\r\n',
  'Connection: keep-alive\r\n',
  '0\r\n\r\n',
  'HTTP/1.1 200 OK\r\n',
  'HTTP/1.1 100 Continue\r\n\r\n',
  'HTTP/1.0',
  'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'ffffffffffffffff',
  '1e1',
]

/** Changes up to three places: bytes turned, taken out, put in or doubled, or the rest cut off. */
export function mutate(random: Random, bytes: Buffer): Buffer {
  let mutated = bytes
  for (let change = 0; change <= Math.floor(random() * 3); change++) {
    // Most of what could go wrong is in the head, and at the end.
    const reach = random() < 0.7 ? Math.min(mutated.length, 400) : mutated.length
    const at = Math.floor(random() * reach)
    mutated = changed(random, mutated, at)
  }
  return mutated
}

function changed(random: Random, bytes: Buffer, at: number): Buffer {
  const [before, length] = [bytes.subarray(0, at), 1 + Math.floor(random() * 12)]
  const fragment = Buffer.from(FRAGMENTS[Math.floor(random() * FRAGMENTS.length)] ?? '', 'latin1')
  switch (Math.floor(random() * 6)) {
    case 0: {
      const turned = Buffer.from(bytes)
      if (turned.length > 0) turned[at] = Math.floor(random() * 256)
      return turned
    }
    case 1:
      return Buffer.concat([before, bytes.subarray(at + length)])
    case 2:
      return Buffer.concat([before, bytes.subarray(at, at + length), bytes.subarray(at)])
    case 3:
      return random() < 0.3 ? before : bytes
    default:
      return Buffer.concat([before, fragment, bytes.subarray(fragment.length > 8 ? at : at + fragment.length)])
  }
}

function headText(random: Random, status: number, fields: readonly string[]): string {
  const reason = ['', ' ', ' OK', ' Not \xe4lways'][Math.floor(random() * 4)] ?? ''
  let text = `HTTP/1.1 ${status}${reason}\r\n`
  for (let index = 0; index < fields.length; index += 2) {
    const name = fields[index] ?? ''
    const blanks = ['', ' ', ' \t '][Math.floor(random() * 3)] ?? ''
    // Blanks behind `chunked` are allowed, but Node's reader, which is to be compared, stumbles over them.
    const behind = name === 'transfer-encoding' ? '' : blanks
    text += `${random() < 0.5 ? name.toUpperCase() : name}:${blanks}${fields[index + 1]}${behind}\r\n`
  }
  return `${text}\r\n`
}

function fieldsOf(random: Random, count: number): string[] {
  const values = ['', 'a', 'a b, c', '"q;\\"', '\xfc\xff', '5', `${'long '.repeat(60)}x`]
  return Array.from({ length: count }, (_, index) => [
    `x-${index}-${Math.floor(random() * 100)}`,
    values[Math.floor(random() * values.length)] ?? '',
  ]).flat()
}

function bytesOf(random: Random, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  // Bodies that look like heads and chunks are the ones that matter.
  const text = random() < 0.5 ? 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n0\r\n\r\n' : '\0\xff0\r\n\r\n'
  return length === 0 ? bytes : bytes.fill(text, 'latin1')
}

function chunksOf(random: Random, content: Buffer, trailers: readonly string[]): Buffer {
  const parts: Buffer[] = []
  for (const piece of split(random, content)) {
    const hex = piece.length.toString(16)
    const size = ['', '0', '000'][Math.floor(random() * 3)] + (random() < 0.5 ? hex : hex.toUpperCase())
    const extension = ['', '', ';a', ';a=1;b="x y"'][Math.floor(random() * 4)]
    parts.push(Buffer.from(`${size}${extension}\r\n`), piece, Buffer.from('\r\n'))
  }
  const lines = trailers.map((text, index) => (index % 2 === 0 ? `${text}: ` : `${text}\r\n`)).join('')
  return Buffer.concat([...parts, Buffer.from(`0\r\n${lines}\r\n`, 'latin1')])
}

/** Bytes for people: long ones are cut. */
export function shown(bytes: Buffer): string {
  const text = JSON.stringify(bytes.toString('latin1'))
  return text.length > 700 ? `${text.slice(0, 500)} … ${text.slice(-200)}` : text
}
