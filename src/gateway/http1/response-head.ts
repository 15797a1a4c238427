import { keyOf } from './field-name.ts'
import { MalformedResponse } from './malformed.ts'

/** How the end of a body is found: after so many bytes, by its chunks, or because the connection ends. */
export type Framing = number | 'chunked' | 'until-close'

export type ResponseHead = {
  readonly status: number
  /** The phrase behind the status, which may be empty. */
  readonly reason: string
  /** Names, in lower case, and values in turn. Bytes beyond ASCII are as Latin-1. */
  readonly headers: readonly string[]
  readonly framing: Framing
  /** Whether the connection may carry another request afterwards. */
  readonly keepsAlive: boolean
  /** What `Keep-Alive` says about how long, undefined when nothing. */
  readonly idleSeconds: number | undefined
}

/** What a head says of the connection and of the body; `undefined` is not said. */
type Said = {
  length: string | undefined
  coding: string | undefined
  connection: string | undefined
  keepAlive: string | undefined
}

type StatusLine = { readonly minor: string; readonly status: number; readonly reason: string }

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: ([\t\x20-\x7e\x80-\xff]*))?$/

/** Lines that end in CR LF and no other way, names that touch their colon, no folded lines. */
const FIELD_LINES = /^(?:[!#$%&'*+\-.^_`|~\dA-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*$/

const LENGTH = /^\d{1,15}$/
const IDLE_SECONDS = /(?:^|[\s,])timeout=(\d{1,6})(?:[\s,]|$)/i

/**
 * Reads a head: everything up to its empty line, without it. Strict where two readers could differ: a length beside a
 * coding, several lengths, codings other than `chunked`. Source: RFC 9112, sections 4 to 6. `method`: of the request,
 * for some have answers without a body. Throws {@link MalformedResponse}.
 */
export function readResponseHead(text: string, method: string): ResponseHead {
  const end = text.indexOf('\r\n')
  const { minor, status, reason } = readStatusLine(text.slice(0, end))
  const said: Said = { length: undefined, coding: undefined, connection: undefined, keepAlive: undefined }
  const headers = readFields(text.slice(end + 2), said)
  const framing = framingOf(said, hasNoBody(method, status))
  const persists = !hasToken(said.connection, 'close') && (minor === '1' || hasToken(said.connection, 'keep-alive'))
  return {
    status,
    reason,
    headers,
    framing,
    keepsAlive: persists && framing !== 'until-close' && !isDoubtful(said, minor, status),
    idleSeconds: said.keepAlive === undefined ? undefined : idleSecondsOf(said.keepAlive),
  }
}

/** The last status line, once there was one: most are alike. */
let line: string | undefined
let lineRead: StatusLine = { minor: '', status: 0, reason: '' }

function readStatusLine(text: string): StatusLine {
  if (text === line) return lineRead
  const [, minor = '', digits, reason = ''] = STATUS_LINE.exec(text) ?? []
  if (digits === undefined) throw new MalformedResponse('the status line is none')
  // A reader of that version would take it for the answer, and the answer for its body.
  if (minor === '0' && digits.startsWith('1')) throw new MalformedResponse('HTTP/1.0 has no interim answers')
  line = text
  lineRead = { minor, status: Number(digits), reason }
  return lineRead
}

/** Reads header or trailer lines, each with its CR LF. Throws {@link MalformedResponse}. */
export function readFields(text: string, said?: Said): string[] {
  if (!FIELD_LINES.test(text)) throw new MalformedResponse('a header line is none')
  const fields: string[] = []
  for (let start = 0; start < text.length; ) {
    const colon = text.indexOf(':', start)
    const end = text.indexOf('\r\n', colon)
    const name = keyOf(text.slice(start, colon))
    const value = withoutBlanks(text, colon + 1, end)
    fields.push(name, value)
    if (said !== undefined) note(said, name, value)
    start = end + 2
  }
  return fields
}

function note(said: Said, name: string, value: string): void {
  switch (name) {
    case 'content-length':
      if (said.length !== undefined) throw new MalformedResponse('there are several lengths')
      said.length = value
      break
    case 'transfer-encoding':
      if (said.coding !== undefined) throw new MalformedResponse('there are several transfer codings')
      said.coding = value
      break
    case 'connection':
      said.connection = said.connection === undefined ? value : `${said.connection},${value}`
      break
    case 'keep-alive':
      said.keepAlive = value
      break
  }
}

function framingOf({ length, coding }: Said, hasNone: boolean): Framing {
  if (coding !== undefined && length !== undefined) throw new MalformedResponse('there are a length and a coding')
  if (length !== undefined && !LENGTH.test(length)) throw new MalformedResponse('the length is no number')
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') {
    throw new MalformedResponse('the transfer coding is unknown')
  }
  if (hasNone) return 0
  if (coding !== undefined) return 'chunked'
  return length === undefined ? 'until-close' : Number(length)
}

/**
 * The upstream does not know the rules of what it says, and may send a body that is not expected, even too late to be
 * noticed: chunks in HTTP/1.0, or a body announced where there is none. Source: RFC 9112, 6.1 and RFC 9110, 8.6.
 */
function isDoubtful({ length, coding }: Said, minor: string | undefined, status: number): boolean {
  if (coding !== undefined && minor === '0') return true
  return status === 204 && (coding !== undefined || (length !== undefined && length !== '0'))
}

function hasNoBody(method: string, status: number): boolean {
  return method === 'HEAD' || status < 200 || status === 204 || status === 304
}

/** Whether a list has a token, given in lower case. */
function hasToken(list: string | undefined, token: string): boolean {
  if (list === undefined || list === token) return list === token
  if (list === 'keep-alive') return false
  return list.split(',').some((item) => item.trim().toLowerCase() === token)
}

/** The last hint: an upstream repeats its own with every answer. */
let hint = ''
let hintSeconds: number | undefined

function idleSecondsOf(value: string): number | undefined {
  if (value !== hint) {
    const seconds = IDLE_SECONDS.exec(value)?.[1]
    hintSeconds = seconds === undefined ? undefined : Number(seconds)
    hint = value
  }
  return hintSeconds
}

function withoutBlanks(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isBlank(text.charCodeAt(start))) start += 1
  while (end > start && isBlank(text.charCodeAt(end - 1))) end -= 1
  return text.slice(start, end)
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9
}
