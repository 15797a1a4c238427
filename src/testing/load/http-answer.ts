/**
 * Reads answers of HTTP/1.1 (RFC 9112) off one connection, one at a time, and no more than a load generator needs:
 * status, body, and whether the connection can be used again. A whole answer in one read, the usual case, is parsed
 * without copying.
 *
 *     answer  = status-line *( field CRLF ) CRLF body
 *     body    = content-length bytes | chunks | everything until the connection closes | nothing (1xx, 204, 304)
 */
export type Answer = {
  readonly status: number
  readonly body: string
  /** False when the server closes the connection after this answer. */
  readonly reusable: boolean
}

export type AnswerReader = {
  /** Takes what was read and gives the answer as soon as it is complete. Throws when the bytes are no HTTP/1.1. */
  push(bytes: Buffer): Answer | undefined
  /** The connection closed: gives the answer when its body ends that way. */
  end(): Answer | undefined
}

type Head = {
  readonly status: number
  readonly bodyStart: number
  readonly reusable: boolean
  /** Length in bytes; 'chunked'; or 'close' for "until the connection closes". */
  readonly framing: number | 'chunked' | 'close'
}

const HEAD_END = Buffer.from('\r\n\r\n')
const EMPTY = Buffer.alloc(0)

export function createAnswerReader(bytesMax: number): AnswerReader {
  let pending: Buffer = EMPTY

  function push(bytes: Buffer): Answer | undefined {
    // The buffer of a read is used again for the next one, so what is kept over is copied.
    const all = pending.length === 0 ? bytes : Buffer.concat([pending, bytes])
    const answer = parseAnswer(all, false)
    if (answer === undefined && all.length > bytesMax) throw new Error(`an answer is larger than ${bytesMax} bytes`)
    if (answer !== undefined) pending = EMPTY
    else pending = all === bytes ? Buffer.from(bytes) : all
    return answer
  }

  function end(): Answer | undefined {
    const answer = pending.length === 0 ? undefined : parseAnswer(pending, true)
    pending = EMPTY
    return answer
  }

  return { push, end }
}

function parseAnswer(bytes: Buffer, closed: boolean): Answer | undefined {
  const head = parseHead(bytes)
  if (head === undefined) return undefined
  const { status, bodyStart, framing } = head
  if (status < 200) return parseAnswer(bytes.subarray(bodyStart), closed)
  if (framing === 'close') {
    return closed ? { status, body: bytes.toString('utf8', bodyStart), reusable: false } : undefined
  }
  if (framing === 'chunked') {
    const chunks = parseChunks(bytes, bodyStart)
    if (chunks === undefined) return undefined
    return { status, body: chunks.body, reusable: head.reusable && chunks.end === bytes.length }
  }
  const end = bodyStart + framing
  if (bytes.length < end) return undefined
  // Bytes after the answer to the only request on its way: this connection is out of step.
  return { status, body: bytes.toString('utf8', bodyStart, end), reusable: head.reusable && bytes.length === end }
}

function parseHead(bytes: Buffer): Head | undefined {
  const end = bytes.indexOf(HEAD_END)
  if (end < 0) {
    if (bytes.length >= 5 && bytes.toString('latin1', 0, 5) !== 'HTTP/') throw new Error('the answer is not HTTP/1.1')
    return undefined
  }
  const text = bytes.toString('latin1', 0, end + 2)
  const status = Number(text.slice(9, 12))
  if (!text.startsWith('HTTP/1.') || !(status >= 100 && status <= 599)) throw new Error('the answer is not HTTP/1.1')
  const reusable = text.startsWith('HTTP/1.1') && !/\r\nconnection: *close/i.test(text)
  return { status, bodyStart: end + 4, reusable, framing: framingOf(status, text) }
}

function framingOf(status: number, head: string): number | 'chunked' | 'close' {
  if (status < 200 || status === 204 || status === 304) return 0
  if (/\r\ntransfer-encoding:[^\r]*chunked/i.test(head)) return 'chunked'
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)
  return length === null ? 'close' : Number(length[1])
}

/** `chunk = size-in-hex [;extension] CRLF data CRLF`, ended by a chunk of size 0 and an empty line. */
function parseChunks(bytes: Buffer, start: number): { body: string; end: number } | undefined {
  const parts: Buffer[] = []
  let position = start
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', position, 'latin1')
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(bytes.toString('latin1', position, lineEnd), 16)
    if (Number.isNaN(size)) throw new Error('a chunk of the answer has no size')
    position = lineEnd + 2
    if (size === 0) break
    if (bytes.length < position + size + 2) return undefined
    parts.push(bytes.subarray(position, position + size))
    position += size + 2
  }
  const end = trailerEnd(bytes, position)
  return end === undefined ? undefined : { body: Buffer.concat(parts).toString('utf8'), end }
}

function trailerEnd(bytes: Buffer, start: number): number | undefined {
  if (bytes.length >= start + 2 && bytes.toString('latin1', start, start + 2) === '\r\n') return start + 2
  const end = bytes.indexOf(HEAD_END, start)
  return end < 0 ? undefined : end + 4
}
