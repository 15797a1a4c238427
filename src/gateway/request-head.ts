import type { IncomingMessage } from 'node:http'
import { Http2ServerRequest } from 'node:http2'
import { REQUEST_HEAD_BYTES_MAX, REQUEST_HEADERS_MAX, REQUEST_TARGET_BYTES_MAX } from './limits.ts'

/**
 * What Node's parser lets through although RFC 9112 forbids it, or although two servers in a row could read it
 * differently. The parser itself refuses conflicting lengths, bare CR and LF, folded lines and malformed names.
 */
export type HeadFault = { readonly status: number; readonly message: string }

const BAD_REQUEST: HeadFault = { status: 400, message: 'Bad request' }
const HEAD_TOO_LARGE: HeadFault = { status: 400, message: 'Request header or cookie too large' }
const TARGET_TOO_LONG: HeadFault = { status: 414, message: 'URI too long' }
const EXPECTATION_FAILED: HeadFault = { status: 417, message: 'Expectation failed' }
const NOT_IMPLEMENTED: HeadFault = { status: 501, message: 'Not implemented' }
const VERSION_NOT_SUPPORTED: HeadFault = { status: 505, message: 'HTTP version not supported' }

/** `a.example`, `a.example:80`, `10.0.0.1`, `[::1]:80`. Source: RFC 3986, 3.2.2, without escapes. */
const HOST = /^(?:[\w.~!$&'()*+;=-]+|\[[\da-f:.]+\])(?::\d{0,5})?$/i

/** Why a request cannot be served, undefined when it can. Its connection is to be closed then. */
export function headFault(request: IncomingMessage): HeadFault | undefined {
  const { headers, rawHeaders, httpVersionMajor, httpVersionMinor } = request
  if ((request.url ?? '').length > REQUEST_TARGET_BYTES_MAX) return TARGET_TOO_LONG
  if (rawHeaders.length > 2 * REQUEST_HEADERS_MAX) return HEAD_TOO_LARGE
  // The parser of HTTP/1 has counted; that of HTTP/2 only tells clients what they should keep to.
  if (isHttp2(request) && listBytes(rawHeaders) > REQUEST_HEAD_BYTES_MAX) return HEAD_TOO_LARGE
  // The parser of HTTP/1 also takes `GET / HTTP/2.0` for a request.
  if (httpVersionMajor !== 1 && !isHttp2(request)) return VERSION_NOT_SUPPORTED
  const isOld = httpVersionMajor === 1 && httpVersionMinor === 0
  const codings = headers['transfer-encoding']
  // HTTP/1.0 knows no chunks: whoever sends them passes on a message that it did not understand.
  if (codings !== undefined && isOld) return BAD_REQUEST
  if (codings !== undefined && codings.toLowerCase() !== 'chunked') return NOT_IMPLEMENTED
  if (headers.host === undefined && !isOld) return BAD_REQUEST
  if (headers.host !== undefined && !isHost(headers.host)) return BAD_REQUEST
  if (namesFault(rawHeaders)) return BAD_REQUEST
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') return EXPECTATION_FAILED
  return undefined
}

/** The size of a list of headers as HTTP/2 counts it. RFC 9113, 6.5.2. */
function listBytes(rawHeaders: readonly string[]): number {
  let bytes = 16 * rawHeaders.length
  for (const text of rawHeaders) bytes += text.length
  return bytes
}

/** The last host that was one: clients ask for few. */
let knownHost = 'localhost'

function isHost(host: string): boolean {
  if (host === knownHost) return true
  if (!HOST.test(host)) return false
  knownHost = host
  return true
}

/** In fact, rather than by its own account. */
export function isHttp2(request: object): boolean {
  return request instanceof Http2ServerRequest
}

/**
 * Two hosts, of which Node shows one and an upstream may take the other; or `X_Consumer_Id`, which many frameworks
 * cannot tell from the `X-Consumer-Id` by which the gateway says who calls.
 */
function namesFault(rawHeaders: readonly string[]): boolean {
  let hosts = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1
    else if (name.length >= IDENTITY_CHARS_MIN && name.includes('_') && IDENTITY_LOOKALIKE.test(name)) return true
  }
  return hosts > 1
}

/** Of `X-Consumer-Id`. */
const IDENTITY_CHARS_MIN = 13

const IDENTITY_LOOKALIKE = /^x[-_](?:consumer|credential[-_]identifier|anonymous[-_]consumer)/i
