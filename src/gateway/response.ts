import { type OutgoingHttpHeader, ServerResponse } from 'node:http'
import type { Exchange } from './exchange.ts'
import { CLIENT_IDLE_MS } from './limits.ts'
import type { BodyFilter } from './response-head.ts'
import { type HeadersGiven, mergedHeaders, pairsOf } from './response-headers.ts'
import { bufferOf, callbackOf, editHead, filterBody } from './response-phase.ts'
import { responseText } from './response-text.ts'
import { type Deferred, defer } from './turn.ts'

/**
 * The response of a request at the gateway. Whoever writes its head (the gateway, the proxy, or a service in this
 * process), the gateway's own headers are added here, once: that is what lets a service get the very same object
 * without knowing.
 */
export class GatewayResponse extends ServerResponse implements Deferred {
  /** Undefined only between the parser and the gateway's listener. */
  exchange: Exchange | undefined = undefined
  /** The gateway has answered in place of a service in this process, which may yet try to: it writes into nothing. */
  abandoned = false
  /** What the body flows through, the upstream's side first; undefined when nothing looks at it. */
  #filters: readonly BodyFilter[] | undefined
  /** What it ends with, at the end of this turn. */
  #ending: Parameters<ServerResponse['end']> | undefined
  /** Names and values in turn, as they were sent; undefined before. */
  sentHeaders: readonly OutgoingHttpHeader[] | undefined = undefined

  override writeHead(status: number, reason?: string | HeadersGiven, headers?: HeadersGiven): this {
    const exchange = this.exchange
    const given = typeof reason === 'object' ? reason : headers
    if (this.abandoned) return this
    if (typeof reason === 'string') this.statusMessage = reason
    if (exchange === undefined || this.headersSent) return this.#store(status, given)
    if (exchange.draining || exchange.headers.expect !== undefined) this.shouldKeepAlive = false
    exchange.beginResponse(status)
    if (exchange.chain !== undefined && exchange.chain.editors.length > 0) return this.#writeEdited(status, given)
    if (this.getHeaderNames().length === 0) {
      const merged = mergedHeaders(given, exchange)
      if (this.#staysOpen(merged, exchange)) merged.push(KEEP_ALIVE, IDLE_HINT)
      this.sentHeaders = merged
      return this.#store(status, merged)
    }
    this.#setAll(given, exchange)
    return super.writeHead(status)
  }

  /** As Node's `writeHead`; what is plain goes without it. */
  #store(status: number, headers: HeadersGiven | undefined): this {
    const isPlain = Array.isArray(headers) && this.#isPlain
    const plain = isPlain ? responseText(status, this.statusMessage, headers) : undefined
    if (plain === undefined) return super.writeHead(status, headers)
    this.statusCode = status
    this.statusMessage = plain.reason
    const inner = this as unknown as NodeInternals
    inner._header = plain.text
    inner._headerSent = false
    inner._contentLength = plain.contentLength
    return this
  }

  /** Nothing but the status and a list of headers says what the head is. */
  get #isPlain(): boolean {
    const { _hasBody, _removedConnection, _expect_continue } = this as unknown as NodeInternals
    const isOpen = this.shouldKeepAlive && !_expect_continue && !_removedConnection
    return isOpen && this.sendDate && _hasBody && !this.headersSent && this.getHeaderNames().length === 0
  }

  /** Sends a head that is the whole response. */
  endWithHead(status: number, headers: HeadersGiven): void {
    this.writeHead(status, headers)
    this.end()
  }

  override write(...parameters: unknown[]): boolean {
    if (this.abandoned) return true
    // Node says what is wrong with that, once it has ended.
    if (this.#ending !== undefined) this.runDeferred()
    if (this.#looksAtBody()) return this.#writeFiltered(parameters)
    return super.write(...(parameters as Parameters<ServerResponse['write']>))
  }

  override end(...parameters: unknown[]): this {
    if (this.abandoned || this.#ending !== undefined) return this
    if (this.#looksAtBody()) return this.#endFiltered(parameters)
    const ending = parameters as Parameters<ServerResponse['end']>
    // What could be refused is refused at once; before the whole request is here, its connection may yet be cut.
    if (!this.headersSent || !this.req.complete || !isBody(ending[0])) return super.end(...ending)
    this.#ending = ending
    defer(this)
    return this
  }

  /** Ends it now, if that was put off. */
  runDeferred(): void {
    const ending = this.#ending
    // Once only: Node takes a second end with a body for a write after the end.
    if (ending !== undefined && !this.finished && !this.destroyed) super.end(...ending)
  }

  static {
    // Types call it a property, but Node has it as an accessor of the prototype, over `finished`.
    Object.defineProperty(GatewayResponse.prototype, 'writableEnded', {
      get(this: GatewayResponse) {
        return this.#ending !== undefined || this.finished
      },
    })
  }

  /** Plugins look at the head first, which a handler that only writes a body leaves to Node. */
  #looksAtBody(): boolean {
    const editors = this.exchange?.chain?.editors
    if (editors === undefined || editors.length === 0) return false
    if (!this.headersSent) this.writeHead(this.statusCode)
    return this.#filters !== undefined
  }

  #writeEdited(status: number, given: HeadersGiven | undefined): this {
    const exchange = this.exchange as Exchange
    const own = this.getHeaderNames().flatMap((name) => [name, this.getHeader(name) ?? ''])
    for (const name of this.getHeaderNames()) this.removeHeader(name)
    const edited = editHead(exchange, { status, own, given })
    this.#filters = edited.filters
    if (this.#staysOpen(edited.headers, exchange)) edited.headers.push(KEEP_ALIVE, IDLE_HINT)
    this.sentHeaders = edited.headers
    return this.#store(edited.status, edited.headers)
  }

  #writeFiltered(parameters: unknown[]): boolean {
    const chunk = this.#filtered(bufferOf(parameters), false)
    if (chunk !== undefined && chunk.length > 0) return super.write(chunk, callbackOf(parameters))
    const done = callbackOf(parameters)
    if (done !== undefined) process.nextTick(done)
    return true
  }

  #endFiltered(parameters: unknown[]): this {
    const chunk = this.#filtered(bufferOf(parameters), true)
    this.#filters = undefined
    if (this.destroyed) return this
    return super.end(chunk, callbackOf(parameters))
  }

  #filtered(given: Buffer | undefined, isLast: boolean): Buffer | undefined {
    return filterBody(this, { filters: this.#filters ?? [], given, isLast })
  }

  /** Whether to tell the client for how long the connection is there for its next request. */
  #staysOpen(headers: readonly OutgoingHttpHeader[], { request }: Exchange): boolean {
    if (!this.shouldKeepAlive || request.httpVersionMinor === 0) return false
    for (let index = 0; index < headers.length; index += 2) {
      const name = headers[index] as string
      if (name.length === CONNECTION.length && name.toLowerCase() === CONNECTION) return false
    }
    return true
  }

  /** The slow way, for a handler that used `setHeader` before: then Node reads no list of headers. */
  #setAll(given: HeadersGiven | undefined, exchange: Exchange): void {
    const pairs = given === undefined ? [] : pairsOf(given)
    for (let index = 0; index < pairs.length; index += 2) {
      this.setHeader(String(pairs[index]), pairs[index + 1] as OutgoingHttpHeader)
    }
    const upstream = Object.entries(this.getHeaders()).flat() as OutgoingHttpHeader[]
    const merged = mergedHeaders(upstream, exchange)
    if (this.#staysOpen(merged, exchange)) merged.push(KEEP_ALIVE, IDLE_HINT)
    this.sentHeaders = merged
    for (const name of this.getHeaderNames()) this.removeHeader(name)
    for (let index = 0; index < merged.length; index += 2) {
      this.appendHeader(String(merged[index]), textOf(merged[index + 1] as OutgoingHttpHeader))
    }
  }
}

/** What Node keeps in a response, from 24 on at least; response-text.test.ts notices when it no longer does. */
type NodeInternals = {
  readonly _hasBody: boolean
  readonly _removedConnection: boolean
  readonly _expect_continue: boolean
  _header: string
  _headerSent: boolean
  _contentLength: number
}

function isBody(chunk: unknown): boolean {
  return chunk === undefined || typeof chunk === 'string' || chunk instanceof Uint8Array
}

const CONNECTION = 'connection'
const KEEP_ALIVE = 'Keep-Alive'
const IDLE_HINT = `timeout=${CLIENT_IDLE_MS / 1_000}`

const textOf = (value: OutgoingHttpHeader) => (typeof value === 'number' ? String(value) : value)
