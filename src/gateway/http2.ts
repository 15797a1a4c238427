import type { IncomingMessage, OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http'
import {
  constants,
  createServer,
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { Socket } from 'node:net'
import type { Exchange } from './exchange.ts'
import {
  CLIENT_IDLE_MS,
  HTTP2_RESETS_BURST,
  HTTP2_RESETS_PER_SECOND,
  HTTP2_STREAMS_MAX,
  REQUEST_HEAD_BYTES_MAX,
  REQUEST_HEADERS_MAX,
} from './limits.ts'
import { type GatewayResponse, type HeadersGiven, mergedHeaders, pairsOf } from './response.ts'
import { CONNECTION_HEADERS } from './upstream-connections.ts'

/**
 * HTTP/2 in front, in the shape of HTTP/1.1: the pipeline and services in this process see the requests and responses
 * that they know. Source: RFC 9113; Node's compatibility API.
 */
export type Http2Handler = (request: IncomingMessage, response: GatewayResponse) => void

export class Http2Front {
  readonly #server = createServer({
    Http2ServerRequest: Http2Request,
    Http2ServerResponse: Http2Response as unknown as typeof Http2ServerResponse<Http2Request>,
    settings: { maxConcurrentStreams: HTTP2_STREAMS_MAX, maxHeaderListSize: REQUEST_HEAD_BYTES_MAX },
    // One more than is allowed, so that the request is refused rather than its stream reset; and the pseudo-headers.
    maxHeaderListPairs: REQUEST_HEADERS_MAX + 5,
    streamResetBurst: HTTP2_RESETS_BURST,
    streamResetRate: HTTP2_RESETS_PER_SECOND,
  })
  readonly #sessions = new Set<ServerHttp2Session>()
  readonly #sockets = new WeakSet<Socket>()
  readonly #requestMs: number
  #isDraining = false

  /** `requestMs`: what a client may take to send a whole request. */
  constructor(handle: Http2Handler, requestMs: number) {
    this.#requestMs = requestMs
    const receive = (request: Http2ServerRequest, response: Http2ServerResponse) => {
      // A stream that was reset together with its connection is told of as well, and has nobody to answer to.
      if ((request.socket as Socket | undefined) === undefined) return
      this.#limitTime(request)
      // Of both sides the gateway uses what the compatibility API of HTTP/2 shares with HTTP/1.1.
      handle(request as unknown as IncomingMessage, response as unknown as GatewayResponse)
    }
    this.#server.on('request', receive)
    this.#server.on('checkExpectation', receive)
    this.#server.on('session', (session) => this.#follow(session))
  }

  /** Takes over a connection that agreed on HTTP/2, or began with its preface. */
  accept(socket: Socket): void {
    // The session is made before `emit` returns, and hides its socket from then on.
    this.#server.once('session', (session: ServerHttp2Session) => socketOf.set(session, socket))
    this.#sockets.add(socket)
    this.#server.emit('connection', socket)
  }

  /** Whether a connection was taken over. */
  has(socket: Socket): boolean {
    return this.#sockets.has(socket)
  }

  /** Tells clients to open no more streams; connections end when those under way have ended. */
  drain(): void {
    this.#isDraining = true
    for (const session of this.#sessions) session.close()
  }

  /** Cuts off what is still open. */
  destroy(): void {
    for (const session of this.#sessions) session.destroy()
  }

  #follow(session: ServerHttp2Session): void {
    if (this.#isDraining) session.close()
    this.#sessions.add(session)
    let streams = 0
    session.on('stream', (stream) => {
      streams += 1
      stream.once('close', () => {
        streams -= 1
      })
    })
    session.setTimeout(CLIENT_IDLE_MS, () => streams === 0 && session.close())
    // What is wrong with a connection ends it, and its requests learn that from their streams.
    session.on('error', () => session.destroy())
    session.once('close', () => this.#sessions.delete(session))
  }

  #limitTime(request: Http2ServerRequest): void {
    if (request.stream.endAfterHeaders) return
    const timer = setTimeout(() => request.stream.close(constants.NGHTTP2_CANCEL), this.#requestMs)
    for (const event of ['end', 'close'] as const) request.once(event, () => clearTimeout(timer))
  }
}

const socketOf = new WeakMap<object, Socket>()

class Http2Request extends Http2ServerRequest {
  constructor(...parameters: ConstructorParameters<typeof Http2ServerRequest>) {
    super(...parameters)
    const [stream, given] = parameters
    const own = (name: string, value: unknown) => Object.defineProperty(this, name, { value, writable: true })
    own('method', given[':method'])
    own('headers', plainHeaders(stream, given))
    own('socket', stream.session && socketOf.get(stream.session))
  }

  get headersDistinct(): Record<string, string[]> {
    const distinct: Record<string, string[]> = Object.create(null)
    for (let index = 0; index < this.rawHeaders.length; index += 2) {
      const name = String(this.rawHeaders[index])
      distinct[name] = [...(distinct[name] ?? []), String(this.rawHeaders[index + 1])]
    }
    return distinct
  }
}

/** Headers as HTTP/1.1 would have them. */
function plainHeaders(stream: ServerHttp2Stream, given: IncomingHttpHeaders): IncomingHttpHeaders {
  const headers: IncomingHttpHeaders = {}
  for (const name in given) if (!name.startsWith(':')) headers[name] = given[name]
  const authority = given[':authority']
  if (authority !== undefined) {
    // Two that differ are as two Host headers: no host is both, and the request is refused. RFC 9113, 8.3.1.
    headers.host =
      headers.host === undefined || headers.host === authority ? authority : `${authority}, ${headers.host}`
  }
  const hasBody = !stream.endAfterHeaders && headers['content-length'] === undefined
  if (hasBody) headers['transfer-encoding'] = 'chunked'
  return headers
}

type Http2Headers = OutgoingHttpHeaders | readonly string[]

/** See {@link GatewayResponse}. */
class Http2Response extends Http2ServerResponse<Http2Request> {
  exchange: Exchange | undefined = undefined
  abandoned = false
  #isComplete = false
  shouldKeepAlive = true
  /** HTTP/2 has no reason phrase; Node's own property warns whoever sets one. */
  override statusMessage = '' as const

  override setHeader(name: string, value: Parameters<Http2ServerResponse['setHeader']>[1]): void {
    if (!CONNECTION_HEADERS.has(name.toLowerCase())) super.setHeader(name, value)
  }

  override writeHead(status: number, reason?: string | Http2Headers, headers?: Http2Headers): this {
    if (this.abandoned) return this
    this.#complete(status, (typeof reason === 'object' ? reason : headers) as HeadersGiven | undefined)
    return super.writeHead(status)
  }

  /** Sends a head that is the whole response, and says so in the same frame: gRPC's clients tell the difference. */
  endWithHead(status: number, headers: HeadersGiven): void {
    if (this.abandoned) return
    this.#complete(status, headers)
    this.statusCode = status
    super.end()
  }

  /** Unlike Node's, which ends the stream as if all had been said, this one says that something went wrong. */
  override destroy(): this {
    this.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    return this
  }

  /** Adds the gateway's own headers, once. */
  #complete(status: number, given: HeadersGiven | undefined): void {
    const { exchange } = this
    if (exchange === undefined || this.headersSent || this.#isComplete) return
    this.#isComplete = true
    exchange.beginResponse(status)
    const before = Object.entries(this.getHeaders()).flat() as OutgoingHttpHeader[]
    for (const name of this.getHeaderNames()) this.removeHeader(name)
    const merged = mergedHeaders([...before, ...pairsOf(given ?? {})], exchange)
    for (let index = 0; index < merged.length; index += 2) {
      this.setHeader(String(merged[index]), merged[index + 1] as string)
    }
  }

  override write(...parameters: unknown[]): boolean {
    if (!this.headersSent && !this.abandoned) this.writeHead(this.statusCode)
    return this.abandoned || super.write(...(parameters as Parameters<Http2ServerResponse['write']>))
  }

  override end(...parameters: unknown[]): this {
    if (this.abandoned) return this
    if (!this.headersSent) this.writeHead(this.statusCode)
    return super.end(...(parameters as Parameters<Http2ServerResponse['end']>))
  }
}
