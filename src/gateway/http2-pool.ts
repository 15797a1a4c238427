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
import {
  HTTP2_UPSTREAM_SESSIONS_MAX,
  HTTP2_UPSTREAM_STREAMS,
  RESPONSE_HEAD_BYTES_MAX,
  UPSTREAM_IDLE_MS,
} from './limits.ts'
import type { RemoteDestination } from './remote-destination.ts'
import {
  CONNECTION_HEADERS,
  type UpstreamConnections,
  type UpstreamFlow,
  type UpstreamHandler,
  type UpstreamRequest,
} from './upstream-connections.ts'
import { tlsOptionsOf } from './upstream-tls.ts'

/**
 * Connections by HTTP/2 to one upstream: many requests share one, and another is opened when those there are full.
 * A connection that its upstream is about to close (GOAWAY) gets no more requests.
 */
export class Http2Pool implements UpstreamConnections {
  readonly #destination: RemoteDestination
  readonly #connections = new Set<Connection>()

  constructor(destination: RemoteDestination) {
    this.#destination = destination
  }

  dispatch(request: UpstreamRequest, handler: UpstreamHandler): void {
    new Call(this.#leastUsed(), { request, handler, scheme: this.#destination.origin.split(':')[0] ?? 'http' }).start()
  }

  /** Opens no more, and ends each connection when its requests have ended. */
  close(): void {
    for (const { session } of this.#connections) session.close()
  }

  /** Cuts off what is still open. */
  destroy(): void {
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
    const opened = new Connection(this.#destination, (closed) => this.#connections.delete(closed))
    this.#connections.add(opened)
    return opened
  }
}

/** One connection. opening ─connected→ open ─GOAWAY, or idle→ leaving ─last request ends→ closed */
class Connection {
  readonly session: ClientHttp2Session
  streams = 0
  /** Why it was lost: of its streams, those that had not begun only learn that they were cancelled. */
  failure: Error | undefined

  constructor(destination: RemoteDestination, closed: (connection: Connection) => void) {
    this.session = openSession(destination)
    const timer = setTimeout(() => this.session.destroy(connectTimedOut()), destination.connectTimeoutMs)
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

function openSession(destination: RemoteDestination): ClientHttp2Session {
  const { hostname, port, protocol } = new URL(destination.origin)
  const place = {
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port) || (protocol === 'https:' ? 443 : 80),
    noDelay: true,
  }
  return connect(destination.origin, {
    settings: { enablePush: false, maxHeaderListSize: RESPONSE_HEAD_BYTES_MAX },
    createConnection: () =>
      protocol === 'https:'
        ? connectTls({ ...place, ...tlsOptionsOf(destination), ALPNProtocols: ['h2'] })
        : connectTcp(place),
  })
}

type CallOptions = { readonly request: UpstreamRequest; readonly handler: UpstreamHandler; readonly scheme: string }

/** One request on a connection, told to its handler as undici would. Over when the answer has ended, or has failed. */
class Call {
  readonly #connection: Connection
  readonly #options: CallOptions
  #stream: ClientHttp2Stream | undefined
  #hasHead = false
  #isOver = false
  #trailers: IncomingHttpHeaders = {}
  #error: Error | undefined
  readonly #flow: UpstreamFlow = {
    abort: (reason) => this.#fail(reason),
    pause: () => void this.#stream?.pause(),
    resume: () => void this.#stream?.resume(),
  }

  constructor(connection: Connection, options: CallOptions) {
    this.#connection = connection
    this.#options = options
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
    else this.#begin(stream)
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
    const { handler, request } = this.#options
    handler.onRequestStart(this.#flow)
    if (this.#isOver) return
    const silenceMs = request.bodyTimeout ?? 0
    stream.setTimeout(silenceMs, () => this.#fail(silent()))
    const { body } = request
    if (body instanceof Readable) this.#send(stream, body)
    else if (body !== null) stream.end(body)
  }

  #send(stream: ClientHttp2Stream, body: Readable): void {
    body.on('data', (chunk: Buffer) => {
      if (!stream.write(chunk)) body.pause()
    })
    stream.on('drain', () => body.resume())
    body.on('end', () => {
      stream.end()
      this.#options.handler.onBodySent()
    })
    body.on('error', (error: Error) => this.#fail(error))
  }

  #listen(stream: ClientHttp2Stream): void {
    const { handler } = this.#options
    stream.on('headers', (headers) => {
      if (!this.#isOver) handler.onResponseStart(this.#flow, headers[':status'] ?? 0, headers)
    })
    stream.on('response', (headers, flags) => this.#receive(headers, flags))
    stream.on('data', (chunk: Buffer) => {
      if (!this.#isOver) handler.onResponseData(this.#flow, chunk)
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

  #receive(headers: IncomingHttpHeaders & { ':status'?: number | undefined }, flags: number): void {
    if (this.#isOver) return
    this.#hasHead = true
    const { handler } = this.#options
    const status = headers[':status'] ?? 0
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) {
      handler.onResponseStart(this.#flow, status, headers)
      return
    }
    this.#isOver = true
    handler.onResponseWhole(this.#flow, status, headers)
    this.#letGo(constants.NGHTTP2_NO_ERROR)
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#options.handler.onResponseEnd(this.#flow, this.#trailers)
    this.#letGo(constants.NGHTTP2_NO_ERROR)
  }

  #fail(error: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#letGo(constants.NGHTTP2_CANCEL)
    this.#options.handler.onResponseError(this.#flow, error)
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

function headersOf({ headers, method, path }: UpstreamRequest, scheme: string): OutgoingHttpHeaders {
  const given: OutgoingHttpHeaders = { ':method': method, ':scheme': scheme, ':path': path }
  if (headers.host !== undefined) given[':authority'] = headers.host
  for (const name in headers) {
    if (name !== 'host' && !CONNECTION_HEADERS.has(name)) given[name] = headers[name]
  }
  return given
}

function connectTimedOut(): Error {
  return Object.assign(new Error('the upstream does not accept a connection'), { code: 'UND_ERR_CONNECT_TIMEOUT' })
}

function silent(): Error {
  return Object.assign(new Error('the upstream is silent'), { code: 'UND_ERR_HEADERS_TIMEOUT' })
}
