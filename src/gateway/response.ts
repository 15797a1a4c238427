import { type OutgoingHttpHeader, type OutgoingHttpHeaders, ServerResponse } from 'node:http'
import type { Exchange } from './exchange.ts'

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

  override writeHead(status: number, reason?: string | HeadersGiven, headers?: HeadersGiven): this {
    const exchange = this.exchange
    const given = typeof reason === 'object' ? reason : headers
    if (this.abandoned) return this
    if (typeof reason === 'string') this.statusMessage = reason
    if (exchange === undefined || this.headersSent) return super.writeHead(status, given)
    if (exchange.draining || exchange.headers.expect !== undefined) this.shouldKeepAlive = false
    exchange.beginResponse(status)
    if (this.getHeaderNames().length === 0) return super.writeHead(status, mergedHeaders(given, exchange))
    this.#setAll(given, exchange)
    return super.writeHead(status)
  }

  override write(...parameters: unknown[]): boolean {
    return this.abandoned || super.write(...(parameters as Parameters<ServerResponse['write']>))
  }

  override end(...parameters: unknown[]): this {
    return this.abandoned ? this : super.end(...(parameters as Parameters<ServerResponse['end']>))
  }

  /** The slow way, for a handler that used `setHeader` before: then Node reads no list of headers. */
  #setAll(given: HeadersGiven | undefined, exchange: Exchange): void {
    const pairs = given === undefined ? [] : pairsOf(given)
    for (let index = 0; index < pairs.length; index += 2) {
      this.setHeader(String(pairs[index]), pairs[index + 1] as OutgoingHttpHeader)
    }
    const upstream = Object.entries(this.getHeaders()).flat() as OutgoingHttpHeader[]
    const merged = mergedHeaders(upstream, exchange)
    for (const name of this.getHeaderNames()) this.removeHeader(name)
    for (let index = 0; index < merged.length; index += 2) {
      this.setHeader(String(merged[index]), merged[index + 1] as OutgoingHttpHeader)
    }
  }
}

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
