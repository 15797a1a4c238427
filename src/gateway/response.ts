import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { requestFailed } from './channels.ts'
import type { Exchange } from './exchange.ts'
import { type BodyFilter, HeaderList } from './response-head.ts'

export type HeadersGiven = OutgoingHttpHeaders | OutgoingHttpHeader[]

/**
 * The response of a request at the gateway. Whoever writes its head (the gateway, the proxy, or a service in this
 * process), the gateway's own headers are added here, once: that is what lets a service get the very same object
 * without knowing.
 */
export class GatewayResponse extends ServerResponse {
  /** Undefined only between the parser and the gateway's listener. */
  exchange: Exchange | undefined = undefined
  /** The gateway has answered in place of a service in this process, which may yet try to: it writes into nothing. */
  abandoned = false
  /** What the body flows through, the upstream's side first; undefined when nothing looks at it. */
  #filters: readonly BodyFilter[] | undefined
  /** Names and values in turn, as they were sent; undefined before. */
  sentHeaders: readonly OutgoingHttpHeader[] | undefined = undefined

  override writeHead(status: number, reason?: string | HeadersGiven, headers?: HeadersGiven): this {
    const exchange = this.exchange
    const given = typeof reason === 'object' ? reason : headers
    if (this.abandoned) return this
    if (typeof reason === 'string') this.statusMessage = reason
    if (exchange === undefined || this.headersSent) return super.writeHead(status, given)
    if (exchange.draining || exchange.headers.expect !== undefined) this.shouldKeepAlive = false
    exchange.beginResponse(status)
    if (exchange.chain !== undefined && exchange.chain.editors.length > 0) return this.#writeEdited(status, given)
    if (this.getHeaderNames().length === 0) {
      const merged = mergedHeaders(given, exchange)
      this.sentHeaders = merged
      return super.writeHead(status, merged)
    }
    this.#setAll(given, exchange)
    return super.writeHead(status)
  }

  /** Sends a head that is the whole response. */
  endWithHead(status: number, headers: HeadersGiven): void {
    this.writeHead(status, headers)
    this.end()
  }

  override write(...parameters: unknown[]): boolean {
    if (this.abandoned) return true
    if (this.#looksAtBody()) return this.#writeFiltered(parameters)
    return super.write(...(parameters as Parameters<ServerResponse['write']>))
  }

  override end(...parameters: unknown[]): this {
    if (this.abandoned) return this
    if (this.#looksAtBody()) return this.#endFiltered(parameters)
    return super.end(...(parameters as Parameters<ServerResponse['end']>))
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
    const upstream = new HeaderList(own)
    const pairs = new HeaderList(given === undefined ? [] : pairsOf(given)).flat()
    for (const name of pairs.filter((_, index) => index % 2 === 0)) upstream.remove(name)
    for (let index = 0; index < pairs.length; index += 2) upstream.append(pairs[index] ?? '', pairs[index + 1] ?? '')
    const headers = new HeaderList(mergedHeaders(upstream.flat(), exchange))
    const head = { status, headers, upstream }
    const filters = (exchange.chain?.editors ?? []).flatMap((plugin) => plugin.response?.(exchange, head) ?? [])
    if (filters.length > 0) this.#filters = filters
    exchange.status = head.status
    const sent = headers.flat()
    this.sentHeaders = sent
    return super.writeHead(head.status, sent)
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
    try {
      let chunk = given
      for (const filter of this.#filters ?? []) {
        const parts = [chunk === undefined ? undefined : filter.write(chunk), isLast ? filter.end() : undefined]
        const passed = parts.filter((part) => part !== undefined)
        chunk = passed.length === 1 ? passed[0] : passed.length === 0 ? undefined : Buffer.concat(passed)
      }
      return chunk
    } catch (error) {
      const { requestId = '', traceparent } = this.exchange ?? {}
      requestFailed.publish({ requestId, traceparent, error })
      this.destroy()
      return undefined
    }
  }

  /** The slow way, for a handler that used `setHeader` before: then Node reads no list of headers. */
  #setAll(given: HeadersGiven | undefined, exchange: Exchange): void {
    const pairs = given === undefined ? [] : pairsOf(given)
    for (let index = 0; index < pairs.length; index += 2) {
      this.setHeader(String(pairs[index]), pairs[index + 1] as OutgoingHttpHeader)
    }
    const upstream = Object.entries(this.getHeaders()).flat() as OutgoingHttpHeader[]
    const merged = mergedHeaders(upstream, exchange)
    this.sentHeaders = merged
    for (const name of this.getHeaderNames()) this.removeHeader(name)
    for (let index = 0; index < merged.length; index += 2) {
      this.appendHeader(String(merged[index]), textOf(merged[index + 1] as OutgoingHttpHeader))
    }
  }
}

const textOf = (value: OutgoingHttpHeader) => (typeof value === 'number' ? String(value) : value)

/**
 * Names and values in turn: what the upstream gave, then the gateway's, which replace those of the same name. `Via` is
 * appended to, and an upstream's `Server` stays.
 */
export function mergedHeaders(given: HeadersGiven | undefined, exchange: Exchange): OutgoingHttpHeader[] {
  const pairs = given === undefined ? [] : pairsOf(given)
  const { names, headers } = exchange.reply
  const merged: OutgoingHttpHeader[] = []
  let via = exchange.identity.via
  let server: OutgoingHttpHeader = exchange.identity.server
  for (let index = 0; index < pairs.length; index += 2) {
    const name = String(pairs[index])
    const value = pairs[index + 1]
    const key = name.toLowerCase()
    if (value === undefined || names.includes(key)) continue
    if (key === 'via') via = `${String(value)}, ${via}`
    else if (key === 'server') server = value
    else merged.push(name, value)
  }
  for (const part of headers) merged.push(part)
  if (!exchange.exited) merged.push('Via', via)
  merged.push('Server', server)
  return merged
}

export function pairsOf(given: HeadersGiven): OutgoingHttpHeader[] {
  if (Array.isArray(given)) return given
  const pairs: OutgoingHttpHeader[] = []
  for (const name in given) {
    const value = given[name]
    if (value !== undefined) pairs.push(name, value)
  }
  return pairs
}

/** The chunk among the parameters of `write` and `end`. */
function bufferOf([chunk, encoding]: readonly unknown[]): Buffer | undefined {
  if (typeof chunk === 'string') return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as 'utf8') : 'utf8')
  return chunk instanceof Uint8Array ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length) : undefined
}

function callbackOf(parameters: readonly unknown[]): (() => void) | undefined {
  return parameters.find((parameter) => typeof parameter === 'function') as (() => void) | undefined
}
