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
import type { GatewayResponse } from './response.ts'
import type { BodyFilter } from './response-head.ts'
import type { HeadersGiven } from './response-headers.ts'
import { bufferOf, callbackOf, editHead, filterBody } from './response-phase.ts'
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
  /** As {@link GatewayResponse} has them. */
  #filters: readonly BodyFilter[] | undefined
  sentHeaders: readonly OutgoingHttpHeader[] | undefined = undefined
  shouldKeepAlive = true
  /** HTTP/2 has no reason phrase; Node's own property warns whoever sets one. */
  override statusMessage = '' as const

  override setHeader(name: string, value: Parameters<Http2ServerResponse['setHeader']>[1]): void {
    if (!CONNECTION_HEADERS.has(name.toLowerCase())) super.setHeader(name, value)
  }

  override writeHead(status: number, reason?: string | Http2Headers, headers?: Http2Headers): this {
    if (this.abandoned) return this
    const given = (typeof reason === 'object' ? reason : headers) as HeadersGiven | undefined
    return super.writeHead(this.#complete(status, given))
  }

  /** Sends a head that is the whole response, and says so in the same frame: gRPC's clients tell the difference. */
  endWithHead(status: number, headers: HeadersGiven): void {
    if (this.abandoned) return
    this.statusCode = this.#complete(status, headers)
    // A plugin that looks at bodies may have one to add.
    if (this.#filters === undefined) super.end()
    else this.end()
  }

  /** Unlike Node's, which ends the stream as if all had been said, this one says that something went wrong. */
  override destroy(): this {
    this.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    return this
  }

  /** Adds the gateway's own headers and what plugins change, once; answers the status. */
  #complete(status: number, given: HeadersGiven | undefined): number {
    const { exchange } = this
    if (exchange === undefined || this.headersSent || this.#isComplete) return status
    this.#isComplete = true
    exchange.beginResponse(status)
    const own = Object.entries(this.getHeaders()).flat() as OutgoingHttpHeader[]
    for (const name of this.getHeaderNames()) this.removeHeader(name)
    const edited = editHead(exchange, { status, own, given })
    this.#filters = edited.filters
    this.sentHeaders = edited.headers
    for (let index = 0; index < edited.headers.length; index += 2) {
      this.#addLine(edited.headers[index] ?? '', edited.headers[index + 1] ?? '')
    }
    return edited.status
  }

  /** Lines of one name become one, as HTTP lets them, for Node refuses some twice; cookies cannot. RFC 9110, 5.3. */
  #addLine(name: string, value: string): void {
    const before = this.getHeader(name)
    if (before === undefined) this.setHeader(name, value)
    else if (name.toLowerCase() === 'set-cookie') this.setHeader(name, [before, value].flat().map(String))
    else this.setHeader(name, `${before}, ${value}`)
  }

  override write(...parameters: unknown[]): boolean {
    if (this.abandoned) return true
    if (!this.headersSent) this.writeHead(this.statusCode)
    if (this.#filters === undefined) return super.write(...(parameters as Parameters<Http2ServerResponse['write']>))
    const chunk = filterBody(this, { filters: this.#filters, given: bufferOf(parameters), isLast: false })
    const done = callbackOf(parameters)
    if (chunk !== undefined && chunk.length > 0) return super.write(chunk, 'utf8', done ?? noCallback)
    if (done !== undefined) process.nextTick(done)
    return true
  }

  override end(...parameters: unknown[]): this {
    if (this.abandoned) return this
    if (!this.headersSent && !this.#isComplete) this.writeHead(this.statusCode)
    if (this.#filters === undefined) return super.end(...(parameters as Parameters<Http2ServerResponse['end']>))
    const chunk = filterBody(this, { filters: this.#filters, given: bufferOf(parameters), isLast: true })
    this.#filters = undefined
    const done = callbackOf(parameters) ?? noCallback
    if (this.stream.closed) return this
    return chunk === undefined ? super.end(done) : super.end(chunk, done)
  }
}

function noCallback(): void {}
