import type { Socket } from 'node:net'

/**
 * Node destroys a socket when a write to it fails, and with it what has arrived and was not read: the answer of an
 * upstream that said no, and closed, before it had the whole body. From here on such a failure is told, once, and only
 * ends the writing; reading goes on until it ends or fails by itself. Returns what undoes this.
 */
export function holdWriteFailures(socket: Socket, onFailure: (error: Error) => void): () => void {
  const { _write, _writev } = socket
  let isHeld = true
  // A write that is never done keeps later ones, which would fail as well, in the queue.
  const told = (done: WriteDone) => (error?: Error | null) => {
    if (error && isHeld) onFailure(error)
    else done(error)
  }
  socket._write = (chunk, encoding, done) => _write.call(socket, chunk, encoding, told(done))
  socket._writev = (chunks, done) => _writev?.call(socket, chunks, told(done))
  return () => {
    isHeld = false
    Reflect.deleteProperty(socket, '_write')
    Reflect.deleteProperty(socket, '_writev')
  }
}

type WriteDone = (error?: Error | null) => void
