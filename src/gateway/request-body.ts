import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { BUFFERED_BODY_BYTES_MAX } from './limits.ts'

/** What is sent on as the body: nothing, all of it, or a stream. */
export type RequestBody = null | Buffer | Readable

/**
 * Reads the body of a request for an upstream. Small ones of known length are handed over whole, when they have
 * arrived; `ready` is not called if the client leaves before. An upstream that takes none of a stream for
 * `writeTimeoutMs` has timed out; what is handed over whole is bounded by the wait for the answer.
 */
export function readBody(request: IncomingMessage, writeTimeoutMs: number, ready: (body: RequestBody) => void): void {
  const length = request.headers['content-length']
  const hasBody = (length !== undefined && length !== '0') || request.headers['transfer-encoding'] !== undefined
  if (!hasBody) ready(null)
  else if (Number(length) <= BUFFERED_BODY_BYTES_MAX) collect(request, ready)
  else ready(new BodyStream(request, writeTimeoutMs))
}

function collect(request: IncomingMessage, ready: (body: Buffer) => void): void {
  let first: Buffer | undefined
  const rest: Buffer[] = []
  request.on('data', (chunk: Buffer) => {
    if (first === undefined) first = chunk
    else rest.push(chunk)
  })
  request.on('end', () => {
    if (first !== undefined) ready(rest.length === 0 ? first : Buffer.concat([first, ...rest]))
  })
}

/**
 * A request's body as a stream that may be destroyed: undici destroys what it could not send, and destroying the
 * request itself would cut the connection on which the client waits for its answer.
 */
class BodyStream extends Readable {
  readonly #request: IncomingMessage
  readonly #writeTimeoutMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(request: IncomingMessage, writeTimeoutMs: number) {
    super()
    this.#request = request
    this.#writeTimeoutMs = writeTimeoutMs
    request.on('data', (chunk: Buffer) => {
      if (!this.destroyed && !this.push(chunk)) this.#wait()
    })
    request.on('end', () => this.push(null))
    request.on('close', () => {
      if (!request.complete) this.destroy(new Error('the client left before it had sent its request'))
    })
    request.pause()
  }

  override _read(): void {
    clearTimeout(this.#timer)
    this.#request.resume()
  }

  /** The upstream has more than it takes at the moment. */
  #wait(): void {
    this.#request.pause()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.destroy(writeTimedOut()), this.#writeTimeoutMs)
  }

  /** What is left of the request flows into nothing, so that the connection can carry the next one. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    clearTimeout(this.#timer)
    this.#request.resume()
    done(error)
  }
}

function writeTimedOut(): Error {
  return Object.assign(new Error('the upstream takes no more of the body'), { code: 'ETIMEDOUT' })
}
