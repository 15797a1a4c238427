import type { Socket } from 'node:net'
import { systemClock } from '../core/index.ts'
import { acceptOfUpstreamError, exitBody } from './exit.ts'
import { newRequestId } from './request-id.ts'

type Answer = { readonly status: string; readonly message: string }

const BAD_REQUEST: Answer = { status: '400 Bad Request', message: 'Bad request' }

const ANSWERS = new Map<string, Answer>([
  ['HPE_HEADER_OVERFLOW', { status: '400 Bad Request', message: 'Request header or cookie too large' }],
  ['ERR_HTTP_REQUEST_TIMEOUT', { status: '408 Request Timeout', message: 'Request timeout' }],
  ['connect', { status: '405 Not Allowed', message: 'Method not allowed' }],
])

/** Answers what Node could not read as a request (or `connect`, which it reads but does not serve), and closes. */
export function answerMalformed(error: NodeJS.ErrnoException | 'connect', socket: Socket, server: string): void {
  const code = typeof error === 'string' ? error : (error.code ?? '')
  // After a reset nobody listens; after the first bytes of another response these would become a part of it.
  if (code === 'ECONNRESET' || !socket.writable || isAnswering(socket)) return void socket.destroy()
  const { status, message } = ANSWERS.get(code) ?? BAD_REQUEST
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

/** Node keeps the response under way on the socket; there is no public way to ask for it. */
function isAnswering(socket: Socket & { _httpMessage?: { headersSent: boolean } | null }): boolean {
  return socket._httpMessage?.headersSent === true
}
