import type { Socket } from 'node:net'
import type { Readable } from 'node:stream'

export type BodySending = {
  /** Bytes that the head announced; undefined for chunks. */
  readonly length: number | undefined
  /** What follows the last byte, if it goes in chunks: the last chunk and trailers. */
  readonly endOfChunks: () => string
  /** Some of it has been handed to the system. */
  readonly onProgress: () => void
  readonly onDone: () => void
  /** The body broke off, or was not as long as announced: the connection is of no more use. */
  readonly onError: (error: Error) => void
}

/** Writes a body to a connection as it comes, and no faster than the connection takes it. Returns what ends that. */
export function sendBody(body: Readable, socket: Socket, sending: BodySending): () => void {
  const { length, onProgress, onDone, onError } = sending
  let sent = 0
  const send = (chunk: Buffer) => {
    sent += chunk.length
    if (length !== undefined && sent > length) {
      fail(new Error('the body of the request is longer than announced'))
      return
    }
    const more = length === undefined ? writeChunk(socket, chunk) : socket.write(chunk)
    onProgress()
    if (!more) body.pause()
  }
  const end = () => {
    if (length !== undefined && sent < length) {
      fail(new Error('the body of the request is shorter than announced'))
      return
    }
    try {
      if (length === undefined) socket.write(sending.endOfChunks(), 'latin1')
    } catch (error) {
      fail(error as Error)
      return
    }
    stop()
    onDone()
  }
  const fail = (error: Error) => {
    stop()
    onError(error)
  }
  const close = () => fail(new Error('the body of the request broke off'))
  const drain = () => body.resume()
  const stop = () => {
    body.off('data', send).off('end', end).off('error', fail).off('close', close)
    socket.off('drain', drain)
    // What becomes of the rest is for nobody any more.
    body.on('error', ignore)
  }
  socket.on('drain', drain)
  body.on('end', end).on('error', fail).on('close', close).on('data', send)
  return stop
}

/** Its failure has been told, or comes after the request is over. */
function ignore(): void {}

function writeChunk(socket: Socket, chunk: Buffer): boolean {
  if (chunk.length === 0) return true
  socket.cork()
  socket.write(`${chunk.length.toString(16)}\r\n`, 'latin1')
  socket.write(chunk)
  const more = socket.write('\r\n', 'latin1')
  socket.uncork()
  return more
}
