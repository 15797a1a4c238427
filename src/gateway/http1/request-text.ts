import type { IncomingHttpHeaders } from 'node:http'
import type { Readable } from 'node:stream'
import { type FieldName, fieldName, isName, NOT_FIELD_VALUE } from './field-name.ts'
import { UnwritableRequest } from './malformed.ts'

/** What is sent on as the body: nothing, all of it, or a stream. */
export type RequestBody = null | Buffer | Readable

export type OutgoingRequest = {
  readonly method: string
  /** Path and query, as they go on the wire. */
  readonly path: string
  /** Names in lower case. What frames the message or is about the connection is made anew, whatever is here. */
  readonly headers: IncomingHttpHeaders
  readonly body: RequestBody
  /** What follows a body that is a stream of unknown length, asked for when the last of it has been read. */
  readonly trailers?: () => IncomingHttpHeaders
  /** The client asks to leave HTTP for WebSocket. */
  readonly upgrades: boolean
}

/** Whether the body goes in chunks, for want of a known length. */
export function isChunked({ headers, body }: OutgoingRequest): boolean {
  return body !== null && !Buffer.isBuffer(body) && headers['content-length'] === undefined
}

/**
 * The head of a request, its empty line included, as Latin-1 text. Throws {@link UnwritableRequest} when anything in it
 * would end a line, or is not of HTTP's characters: it would be another request then.
 */
export function requestText(request: OutgoingRequest): string {
  const { method, path, headers } = request
  if (!isName(method) || !TARGET.test(path)) throw new UnwritableRequest('the request line has other characters')
  const text = `${method} ${path} HTTP/1.1${linesOf(headers)}`
  return `${text}${framingLine(request)}${request.upgrades ? UPGRADE_LINES : CONNECTION_LINE}`
}

/** What ends a body in chunks: the last chunk, trailers, an empty line. Throws as {@link requestText} does. */
export function endOfChunks(trailers: IncomingHttpHeaders): string {
  return `0${linesOf(trailers)}\r\n\r\n`
}

/** Each line with the CR LF before it, as all lines here have it. */
function linesOf(fields: IncomingHttpHeaders): string {
  let text = ''
  for (const name in fields) {
    const value = fields[name]
    if (value === undefined || isOurs(name)) continue
    const field = fieldName(name)
    if (field === undefined) throw new UnwritableRequest(`"${name}" is no name of a header`)
    if (typeof value === 'string') text += lineOf(field, value)
    else for (const one of value) text += lineOf(field, one)
  }
  return text
}

function lineOf({ key, prefix }: FieldName, value: string): string {
  if (NOT_FIELD_VALUE.test(value)) throw new UnwritableRequest(`the header ${key} has characters that it cannot have`)
  return prefix + value
}

const TARGET = /^[!-~\x80-\xff]+$/

const CONNECTION_LINE = '\r\nconnection: keep-alive\r\n\r\n'
const UPGRADE_LINES = '\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n'

/** `expect` has been answered already. */
function isOurs(name: string): boolean {
  switch (name) {
    case 'connection':
    case 'content-length':
    case 'expect':
    case 'keep-alive':
    case 'transfer-encoding':
    case 'upgrade':
      return true
    default:
      return false
  }
}

/** Servers wait for a body of methods that usually have one: an empty one is said to be. */
const EXPECTING_BODY = new Set(['POST', 'PUT', 'PATCH'])

function framingLine(request: OutgoingRequest): string {
  const { body, headers, method } = request
  const given = headers['content-length']
  if (body === null) return given !== undefined || EXPECTING_BODY.has(method) ? '\r\ncontent-length: 0' : ''
  if (Buffer.isBuffer(body)) return `\r\ncontent-length: ${body.length}`
  if (given === undefined) return '\r\ntransfer-encoding: chunked'
  if (!/^\d+$/.test(given)) throw new UnwritableRequest('the length of the body is no number')
  return `\r\ncontent-length: ${given}`
}
