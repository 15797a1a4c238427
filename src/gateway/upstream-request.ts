import type { IncomingHttpHeaders } from 'node:http'
import {
  DEADLINE_HEADER,
  isSampled,
  parseTraceparent,
  spanIdOf,
  TRACEPARENT_HEADER,
  traceIdOf,
  traceparentOf,
} from '../core/index.ts'
import type { ServiceEntity } from './config/entities.ts'
import type { Exchange, RouteTarget } from './exchange.ts'
import { removeIdentity } from './identity-headers.ts'
import { upstreamPath } from './path.ts'

/**
 * Headers that are about one connection. `transfer-encoding` stays: it says that there is a body. Source: RFC 9110,
 * 7.6.1.
 */
const CONNECTION_HEADERS = ['connection', 'keep-alive', 'proxy', 'proxy-connection', 'upgrade'] as const

/**
 * Takes away what a client must not claim, and what is about its connection. Before any plugin runs: done later, a
 * client could have the gateway's own headers removed by naming them in Connection.
 */
export function cleanHeaders(headers: IncomingHttpHeaders): void {
  removeIdentity(headers)
  removeConnectionHeaders(headers)
}

/**
 * Turns the client's request into the upstream's, in place: path, host, forwarding headers, trace and deadline.
 * The same for a service in this process and for one elsewhere. `sampleTrace` says whether one more trace may be kept.
 * Answers how long the upstream may take, in milliseconds; 0 when the client's deadline has passed.
 */
export function rewriteRequest(
  exchange: Exchange,
  target: RouteTarget & { service: ServiceEntity },
  sampleTrace: () => boolean,
): number {
  const { headers } = exchange
  const path = exchange.upstreamPath ?? upstreamPath(target.path, exchange.path, exchange.matchedChars)
  setForwardingHeaders(exchange, target)
  if (!target.route.preserve_host || headers.host === undefined) headers.host = target.host
  exchange.request.url = path + exchange.query
  headers['x-kong-request-id'] = exchange.requestId
  headers.via = headers.via === undefined ? exchange.identity.via : `${headers.via}, ${exchange.identity.via}`
  setTrace(exchange, sampleTrace)
  return setDeadline(exchange, target.service.read_timeout)
}

function removeConnectionHeaders(headers: IncomingHttpHeaders): void {
  const { connection } = headers
  if (connection !== undefined && connection !== 'keep-alive' && connection !== 'close') {
    for (const token of connection.toLowerCase().split(',')) removeNamed(headers, token.trim())
  }
  for (const name of CONNECTION_HEADERS) if (headers[name] !== undefined) delete headers[name]
  if (headers.te === undefined) return
  if (/(?:^|,)\s*trailers\s*(?:;|,|$)/i.test(String(headers.te))) headers.te = 'trailers'
  else delete headers.te
}

/** Headers that Connection names, but never those that frame the message: naming them must not smuggle a request. */
function removeNamed(headers: IncomingHttpHeaders, name: string): void {
  const isFraming = name === 'content-length' || name === 'transfer-encoding' || name === 'host' || name === 'te'
  if (!isFraming) delete headers[name]
}

function setForwardingHeaders(exchange: Exchange, target: RouteTarget): void {
  const { headers, peer, matchedChars } = exchange
  const forwarded = headers['x-forwarded-for']
  headers['x-forwarded-for'] = forwarded === undefined ? peer.ip : `${String(forwarded)}, ${peer.ip}`
  headers['x-real-ip'] = exchange.clientIp
  const keep = peer.trusted
  if (!keep || headers['x-forwarded-proto'] === undefined)
    headers['x-forwarded-proto'] = exchange.secure ? 'https' : 'http'
  if (!keep || headers['x-forwarded-host'] === undefined) headers['x-forwarded-host'] = hostName(headers.host ?? '')
  if (!keep || headers['x-forwarded-port'] === undefined) headers['x-forwarded-port'] = exchange.port
  if (!keep || headers['x-forwarded-path'] === undefined) headers['x-forwarded-path'] = exchange.rawPath
  const prefix = target.path.strip && matchedChars > 1 ? exchange.path.slice(0, matchedChars) : undefined
  if (prefix !== undefined) headers['x-forwarded-prefix'] = prefix
  else if (!keep && headers['x-forwarded-prefix'] !== undefined) delete headers['x-forwarded-prefix']
}

/** In lower case, without its port. */
export function hostName(host: string): string {
  const colon = host.lastIndexOf(':')
  return (colon < 0 || host.endsWith(']') ? host : host.slice(0, colon)).toLowerCase()
}

/**
 * The gateway's span becomes the parent of the service's. A request without a trace starts one that has the id of the
 * request. Whether a trace is kept is decided here for all parts: that the client's is kept is no more than a wish,
 * since clients could fill every store with wishes; that it is not is obeyed.
 */
function setTrace(exchange: Exchange, sampleTrace: () => boolean): void {
  const { headers, requestId } = exchange
  const given = headers[TRACEPARENT_HEADER] === undefined ? undefined : parseTraceparent(headers[TRACEPARENT_HEADER])
  const sampled = (given === undefined || isSampled(given)) && sampleTrace()
  const traceId = given === undefined ? requestId : traceIdOf(given)
  if (given !== undefined) exchange.parentSpanId = spanIdOf(given)
  // The second half of a request's id is as random as any span id.
  exchange.traceparent = traceparentOf(traceId, requestId.slice(16), sampled)
  headers[TRACEPARENT_HEADER] = exchange.traceparent
}

/** The time that is left, for the service and as an answer. */
function setDeadline({ headers, startedAtMs }: Exchange, timeoutMs: number): number {
  const given = Number(headers[DEADLINE_HEADER] ?? Number.NaN)
  // What is no number is no wish.
  const wishedMs = Number.isNaN(given) ? Number.POSITIVE_INFINITY : given - (performance.now() - startedAtMs)
  if (wishedMs <= 0) return 0
  const leftMs = Math.min(wishedMs, timeoutMs)
  headers[DEADLINE_HEADER] = String(Math.ceil(leftMs))
  return leftMs
}
