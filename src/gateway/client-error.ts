import type { Socket } from 'node:net'
import { systemClock } from '../core/index.ts'
import { acceptOfUpstreamError, exitBody } from './exit.ts'
import { REQUEST_TARGET_BYTES_MAX } from './limits.ts'
import { newRequestId } from './request-id.ts'

type Answer = { readonly status: string; readonly message: string }

const BAD_REQUEST: Answer = { status: '400 Bad Request', message: 'Bad request' }

const TARGET_TOO_LONG: Answer = { status: '414 URI Too Long', message: 'URI too long' }

const ANSWERS = new Map<string, Answer>([
  ['HPE_HEADER_OVERFLOW', { status: '400 Bad Request', message: 'Request header or cookie too large' }],
  ['HPE_CHUNK_EXTENSIONS_OVERFLOW', { status: '413 Payload Too Large', message: 'Payload too large' }],
  ['ERR_HTTP_REQUEST_TIMEOUT', { status: '408 Request Timeout', message: 'Request timeout' }],
  ['connect', { status: '405 Not Allowed', message: 'Method not allowed' }],
])

/** Answers what Node could not read as a request (or `connect`, which it reads but does not serve), and closes. */
export function answerMalformed(error: NodeJS.ErrnoException | 'connect', socket: Socket, server: string): void {
  const code = typeof error === 'string' ? error : (error.code ?? '')
  // After a reset nobody listens; after the first bytes of another response these would become a part of it.
  if (code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) return void socket.destroy()
  const { status, message } = isLongTarget(error) ? TARGET_TOO_LONG : (ANSWERS.get(code) ?? BAD_REQUEST)
  const requestId = newRequestId()
  const { contentType, body } = exitBody(acceptOfUpstreamError(undefined, undefined), message, requestId)
  const head = [
    `HTTP/1.1 ${status}`,
    `Date: ${new Date(systemClock.now()).toUTCString()}`,
    `Content-Type: ${contentType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
    `Server: ${server}`,
    `X-Kong-Request-Id: ${requestId}`,
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

/** Whether a head became too large before its first line was over. */
function isLongTarget(error: (NodeJS.ErrnoException & { rawPacket?: Buffer }) | 'connect'): boolean {
  if (typeof error === 'string' || error.code !== 'HPE_HEADER_OVERFLOW') return false
  const line = error.rawPacket?.subarray(0, REQUEST_TARGET_BYTES_MAX).toString('latin1') ?? ''
  return line.length === REQUEST_TARGET_BYTES_MAX && /^[A-Z]+ [^\r\n]*$/.test(line)
}

/**
 * Whether a response is under way, whose end is not put off any longer then. Node keeps it on the socket; there is no
 * public way to ask for it.
 */
function isAnswering(
  socket: Socket & { _httpMessage?: { headersSent: boolean; runDeferred(): void } | null },
): boolean {
  socket._httpMessage?.runDeferred()
  return socket._httpMessage?.headersSent === true
}
