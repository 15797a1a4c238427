import { type IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import type { Exchange } from './exchange.ts'
import type { RequestBody } from './http1/request-text.ts'
import { removeIdentity } from './identity-headers.ts'
import { BUFFERED_BODY_BYTES_MAX } from './limits.ts'
import { CONNECTION_HEADERS } from './upstream-connections.ts'

/**
 * Reads the body of a request for an upstream. Small ones of known length are handed over whole, when they have
 * arrived; `ready` is not called if the client leaves before. An upstream that takes none of a stream for
 * `writeTimeoutMs` has timed out; what is handed over whole is bounded by the wait for the answer.
 */
export function readBody(
  { request, body }: Pick<Exchange, 'request' | 'body'>,
  writeTimeoutMs: number,
  ready: (body: RequestBody) => void,
): void {
  const length = request.headers['content-length']
  if (body !== undefined) ready(body.length === 0 ? null : body)
  else if (!hasBody(request)) ready(null)
  else if (Number(length) <= BUFFERED_BODY_BYTES_MAX) collect(request, ready)
  else ready(new BodyStream(request, writeTimeoutMs))
}

/**
 * What a client may say behind its body. Not what frames or routes the message, nor who calls: an upstream that adds
 * trailers to the headers would believe it. Source: RFC 9110, 6.5.1.
 */
export function endToEndTrailers(given: NodeJS.Dict<string>): IncomingHttpHeaders {
  const trailers: IncomingHttpHeaders = { ...given }
  removeIdentity(trailers)
  for (const name in trailers) {
    if (name.startsWith(':') || NEVER_TRAILERS.has(name) || CONNECTION_HEADERS.has(name)) delete trailers[name]
  }
  return trailers
}

const NEVER_TRAILERS = new Set([
  'authorization',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'host',
  'proxy-authorization',
  'te',
  'trailer',
])

/** Whether the head of a request announces a body. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length']
  return (length !== undefined && length !== '0') || headers['transfer-encoding'] !== undefined
}

/** The whole body; undefined when it is longer than `bytesMax`, or when the client leaves. */
export async function collectBody(request: IncomingMessage, bytesMax: number): Promise<Buffer | undefined> {
  if (!hasBody(request)) return Buffer.alloc(0)
  if (Number(request.headers['content-length']) > bytesMax) return undefined
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > bytesMax) {
        chunks.length = 0
        resolve(undefined)
      } else {
        chunks.push(chunk)
      }
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('close', () => resolve(undefined))
  })
}

/**
 * The request for a service in this process: itself, or a copy that has the body once more when a plugin, or an attempt
 * elsewhere, has read it.
 */
export function requestWithBody(request: IncomingMessage, body: Buffer | undefined): IncomingMessage {
  if (body === undefined) return request
  const copy = new IncomingMessage(request.socket)
  copy.httpVersion = request.httpVersion
  copy.httpVersionMajor = request.httpVersionMajor
  copy.httpVersionMinor = request.httpVersionMinor
  copy.rawHeaders = request.rawHeaders
  copy.headers = request.headers
  if (request.method !== undefined) copy.method = request.method
  if (request.url !== undefined) copy.url = request.url
  copy.complete = true
  copy.push(body)
  copy.push(null)
  return copy
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
 * A request's body as a stream that may be destroyed, when it cannot be sent: destroying the request itself would cut
 * the connection on which the client waits for its answer.
 */
export class BodyStream extends Readable {
  readonly #request: IncomingMessage
  readonly #writeTimeoutMs: number
  #timer: NodeJS.Timeout | undefined
  /** What has come so far, for another attempt; undefined when it has become too much to be kept. */
  #kept: Buffer[] | undefined
  #keptBytes = 0

  /** `begun`: what was read of the request before. */
  constructor(request: IncomingMessage, writeTimeoutMs: number, begun: readonly Buffer[] = []) {
    super()
    this.#request = request
    this.#writeTimeoutMs = writeTimeoutMs
    this.#kept = []
    for (const chunk of begun) this.#take(chunk)
    request.on('data', (chunk: Buffer) => {
      if (!this.destroyed) this.#take(chunk)
    })
    request.on('end', () => this.push(null))
    request.on('close', () => {
      if (!request.complete) this.destroy(new Error('the client left before it had sent its request'))
    })
    request.pause()
    if (request.readableEnded) this.push(null)
  }

  /** Whether another attempt could send the same. */
  get isRepeatable(): boolean {
    return this.#kept !== undefined
  }

  /** For the next attempt: this one while nothing was read of it, else the same from its beginning. */
  again(): BodyStream {
    if (!this.readableDidRead && !this.destroyed) return this
    const next = new BodyStream(this.#request, this.#writeTimeoutMs, this.#kept)
    this.#kept = undefined
    return next
  }

  #take(chunk: Buffer): void {
    this.#keptBytes += chunk.length
    if (this.#keptBytes > BUFFERED_BODY_BYTES_MAX) this.#kept = undefined
    this.#kept?.push(chunk)
    if (!this.push(chunk)) this.#wait()
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
