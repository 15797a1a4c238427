import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/**
 * HTTP/2 without TLS, for clients that know that the gateway speaks it. Source: RFC 9113, 3.3.
 *
 * Nothing looks at what HTTP/1.1 clients send: its parser stops by itself when a request is the preface of HTTP/2, and
 * the connection is taken from it then. A preface behind a request is none.
 */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

type ParseError = NodeJS.ErrnoException & { readonly rawPacket?: Buffer; readonly bytesParsed?: number }

/**
 * Takes a connection from the HTTP/1.1 server if the error is that it began with the preface; its bytes can be read
 * once more then. False when the error is another.
 */
export function takeFromHttp1(error: ParseError, socket: Socket): boolean {
  const { code, rawPacket, bytesParsed = 0 } = error
  if (code !== 'HPE_PAUSED_H2_UPGRADE' || rawPacket === undefined || socket instanceof TLSSocket) return false
  if (socket.bytesRead - rawPacket.length + bytesParsed !== PREFACE.length) return false
  for (const event of ['data', 'end', 'drain', 'timeout', 'error']) socket.removeAllListeners(event)
  // Whoever listens for data takes the socket back from the parser, which reads it below JavaScript.
  socket.on('data', noData).removeListener('data', noData)
  socket.pause()
  socket.unshift(Buffer.concat([PREFACE, rawPacket.subarray(bytesParsed)]))
  return true
}

function noData(): void {}
