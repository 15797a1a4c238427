import type { IncomingHttpHeaders } from 'node:http'
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { Readable } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { type CallHandler, type CallRequest, callTimedOut } from './http1/call.ts'
import type { Endpoint } from './http1/connect.ts'
import type { ResponseHead } from './http1/response-head.ts'
import {
  HTTP2_UPSTREAM_SESSIONS_MAX,
  HTTP2_UPSTREAM_STREAMS,
  RESPONSE_HEAD_BYTES_MAX,
  UPSTREAM_IDLE_MS,
} from './limits.ts'
import { CONNECTION_HEADERS, type UpstreamCall, type UpstreamConnections } from './upstream-connections.ts'
import { tlsOptionsOf } from './upstream-tls.ts'

/**
 * Connections by HTTP/2 to one upstream: many requests share one, and another is opened when those there are full.
 * A connection that its upstream is about to close (GOAWAY) gets no more requests.
 */
export class Http2Pool implements UpstreamConnections {
  readonly #endpoint: Endpoint
  readonly #connections = new Set<Connection>()
  #isDestroyed = false

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
  }

  get isEmpty(): boolean {
    return this.#connections.size === 0
  }

  send(request: CallRequest, handler: CallHandler): UpstreamCall {
    if (this.#isDestroyed) return refusedCall(handler)
    const scheme = this.#endpoint.origin.split(':')[0] ?? 'http'
    const call = new Http2Call(this.#leastUsed(), { request, handler, scheme })
    call.start()
    return call
  }

  /** Nothing to do: each connection has a clock of its own. */
  sweep(): void {}

  /** Opens no more, and ends each connection when its requests have ended. */
  close(): void {
    for (const { session } of this.#connections) session.close()
  }

  /** Cuts off what is still open. */
  destroy(): void {
    this.#isDestroyed = true
    for (const { session } of this.#connections) session.destroy()
  }

  /** When all are full, requests wait in the one that has the fewest. */
  #leastUsed(): Connection {
    let best: Connection | undefined
    for (const connection of this.#connections) {
      if (connection.isLeaving) continue
      if (best === undefined || connection.streams < best.streams) best = connection
    }
    if (best !== undefined && (!best.isFull || this.#connections.size >= HTTP2_UPSTREAM_SESSIONS_MAX)) return best
    const opened = new Connection(this.#endpoint, (closed) => this.#connections.delete(closed))
    this.#connections.add(opened)
    return opened
  }
}

/** What is tried again when the gateway is closed already must not open a connection that nobody would close. */
function refusedCall(handler: CallHandler): UpstreamCall {
  handler.onError(new Error('the gateway is closed'))
  return { isOver: true, remoteAddress: undefined, abort() {}, pause() {}, resume() {} }
}

/** One connection. opening ─connected→ open ─GOAWAY, or idle→ leaving ─last request ends→ closed */
class Connection {
  readonly session: ClientHttp2Session
  streams = 0
  /** Why it was lost: of its streams, those that had not begun only learn that they were cancelled. */
  failure: Error | undefined

  constructor(endpoint: Endpoint, closed: (connection: Connection) => void) {
    this.session = openSession(endpoint)
    const timer = setTimeout(() => this.session.destroy(callTimedOut('connect')), endpoint.connectTimeoutMs)
    this.session.once('connect', () => {
      clearTimeout(timer)
      this.session.setTimeout(UPSTREAM_IDLE_MS, () => this.streams === 0 && this.session.close())
    })
    this.session.once('error', (error) => {
      this.failure = error
    })
    this.session.once('close', () => {
      clearTimeout(timer)
      closed(this)
    })
  }

  get isLeaving(): boolean {
    return this.session.closed || this.session.destroyed
  }

  get isFull(): boolean {
    return (
      this.streams >= Math.min(this.session.remoteSettings?.maxConcurrentStreams ?? Infinity, HTTP2_UPSTREAM_STREAMS)
    )
  }
}

function openSession(endpoint: Endpoint): ClientHttp2Session {
  const { hostname, port, protocol } = new URL(endpoint.origin)
  const place = {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
    noDelay: true,
  }
  return connect(endpoint.origin, {
    settings: { enablePush: false, maxHeaderListSize: RESPONSE_HEAD_BYTES_MAX },
    createConnection: () =>
      protocol === 'https:'
        ? connectTls({ ...place, ...tlsOptionsOf(endpoint), ALPNProtocols: ['h2'] })
        : connectTcp(place),
  })
}

type CallOptions = { readonly request: CallRequest; readonly handler: CallHandler; readonly scheme: string }

/** One request on a connection. Over when the answer has ended, or has failed. */
class Http2Call implements UpstreamCall {
  readonly #connection: Connection
  readonly #options: CallOptions
  #stream: ClientHttp2Stream | undefined
  #hasHead = false
  #isOver = false
  #isPaused = false
  #trailers: IncomingHttpHeaders = {}
  #error: Error | undefined

  constructor(connection: Connection, options: CallOptions) {
    this.#connection = connection
    this.#options = options
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get remoteAddress(): string | undefined {
    return this.#connection.session.socket?.remoteAddress
  }

  start(): void {
    const { request } = this.#options
    const hasTrailers = request.body instanceof Readable && request.trailers !== undefined
    const stream = this.#open(hasTrailers)
    if (stream === undefined) return
    this.#stream = stream
    this.#connection.streams += 1
    if (hasTrailers) stream.once('wantTrailers', () => stream.sendTrailers(request.trailers?.() ?? {}))
    this.#listen(stream)
    if (stream.pending) stream.once('ready', () => this.#begin(stream))
    else process.nextTick(() => this.#begin(stream))
  }

  abort(error: Error): void {
    this.#fail(error)
  }

  pause(): void {
    this.#isPaused = true
    this.#stream?.pause()
  }

  resume(): void {
    this.#isPaused = false
    this.#stream?.resume()
  }

  /** Undefined when Node refuses the headers, which is told as a failure. */
  #open(waitForTrailers: boolean): ClientHttp2Stream | undefined {
    const { request, scheme } = this.#options
    try {
      const endStream = request.body === null
      return this.#connection.session.request(headersOf(request, scheme), { endStream, waitForTrailers })
    } catch (error) {
      process.nextTick(() => this.#fail(error as Error))
      return undefined
    }
  }

  /** The connection is there, and with it the first bytes on their way. */
  #begin(stream: ClientHttp2Stream): void {
    if (this.#isOver) return
    const { handler, request } = this.#options
    handler.onSent()
    // It may be the client who is slow in reading: then the upstream is waited for all the same.
    stream.setTimeout(request.silenceMs, () => this.#isPaused || this.#fail(callTimedOut('silence')))
    const { body } = request
    if (body instanceof Readable) this.#send(stream, body)
    else if (body !== null) stream.end(body)
  }

  #send(stream: ClientHttp2Stream, body: Readable): void {
    body.on('data', (chunk: Buffer) => {
      if (!stream.write(chunk)) body.pause()
      this.#options.handler.onProgress()
    })
    stream.on('drain', () => body.resume())
    body.on('end', () => stream.end())
    body.on('error', (error: Error) => this.#fail(error))
  }

  #listen(stream: ClientHttp2Stream): void {
    const { handler } = this.#options
    stream.on('headers', (headers) => {
      if (!this.#isOver) handler.onHead(headOf(headers, 0))
    })
    stream.on('response', (headers, flags) => this.#receive(headers, flags))
    stream.on('data', (chunk: Buffer) => {
      if (!this.#isOver) handler.onData(chunk)
    })
    stream.on('trailers', (trailers) => {
      this.#trailers = trailers
    })
    stream.on('end', () => {
      // A stream that is reset ends as well.
      if (this.#hasHead && !stream.aborted && stream.rstCode === constants.NGHTTP2_NO_ERROR) this.#finish()
    })
    stream.on('error', (error) => {
      this.#error = error
    })
    stream.once('close', () => {
      this.#connection.streams -= 1
      this.#fail(this.#failure(stream))
    })
  }

  #receive(headers: Http2Headers, flags: number): void {
    if (this.#isOver) return
    this.#hasHead = true
    const isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    this.#options.handler.onHead(headOf(headers, isWhole ? 0 : 'chunked'))
    if (isWhole) this.#finish()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.handler.onEnd(pairsOf(this.#trailers))
    this.#letGo(constants.NGHTTP2_NO_ERROR)
  }

  #fail(error: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#letGo(constants.NGHTTP2_CANCEL)
    this.#options.handler.onError(error)
  }

  /** Nobody wants the rest: neither what the upstream still sends, nor what it has not taken yet. */
  #letGo(code: number): void {
    const { body } = this.#options.request
    if (body instanceof Readable) body.destroy()
    this.#stream?.close(code)
  }

  #failure(stream: ClientHttp2Stream): Error {
    const error = this.#connection.failure ?? this.#error ?? new Error('the upstream broke the request off')
    if (stream.rstCode !== constants.NGHTTP2_REFUSED_STREAM) return error
    return Object.assign(new Error('the upstream did not take the request', { cause: error }), { code: REFUSED })
  }
}

/** Of a request that the upstream says it has not looked at: it may be sent again, whatever it is. RFC 9113, 8.7. */
export const REFUSED = 'HTTP2_REFUSED'

function headersOf({ headers, method, path }: CallRequest, scheme: string): OutgoingHttpHeaders {
  const given: OutgoingHttpHeaders = { ':method': method, ':scheme': scheme, ':path': path }
  if (headers.host !== undefined) given[':authority'] = headers.host
  for (const name in headers) {
    if (name !== 'host' && !CONNECTION_HEADERS.has(name)) given[name] = headers[name]
  }
  return given
}

type Http2Headers = IncomingHttpHeaders & { ':status'?: number | undefined }

/** A head as HTTP/1.1 has it. One that ends its stream has no body, whatever length it tells of. */
function headOf(headers: Http2Headers, framing: 0 | 'chunked'): ResponseHead {
  const status = headers[':status'] ?? 0
  const length = framing === 0 ? undefined : headers['content-length']
  return {
    status,
    reason: '',
    headers: pairsOf(headers),
    framing: length === undefined || length === '0' ? framing : Number(length),
    keepsAlive: true,
    idleSeconds: undefined,
  }
}

/** Names and values in turn. */
function pairsOf(headers: IncomingHttpHeaders): string[] {
  const pairs: string[] = []
  for (const name in headers) {
    const value = headers[name]
    if (value === undefined || name.startsWith(':')) continue
    if (Array.isArray(value)) for (const one of value) pairs.push(name, one)
    else pairs.push(name, value)
  }
  return pairs
}
