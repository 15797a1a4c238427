import { randomUUID } from 'node:crypto'
import type { HashSource, UpstreamEntity } from '../config/upstream-entities.ts'
import { type Exchange, headerName } from '../exchange.ts'
import { uriCaptureOf } from '../uri-capture.ts'
import { hashOf } from './hash.ts'

const SET_COOKIE = headerName('Set-Cookie')

/**
 * What decides a request's target, as a number; undefined when the request has nothing of that kind. A cookie that the
 * client does not have yet is set in the answer.
 */
export function hashKeyOf(upstream: UpstreamEntity, exchange: Exchange): number | undefined {
  const { hash_on_cookie: cookie, hash_on_cookie_path: cookiePath } = upstream
  const value = hashedOf(upstream.hash_on, exchange, {
    header: upstream.hash_on_header,
    queryArg: upstream.hash_on_query_arg,
    uriCapture: upstream.hash_on_uri_capture,
    cookie,
    cookiePath,
  })
  if (value !== undefined) return hashOf(value)
  const fallback = hashedOf(upstream.hash_fallback, exchange, {
    header: upstream.hash_fallback_header,
    queryArg: upstream.hash_fallback_query_arg,
    uriCapture: upstream.hash_fallback_uri_capture,
    cookie,
    cookiePath,
  })
  return fallback === undefined ? undefined : hashOf(fallback)
}

type Names = {
  readonly header: string | null
  readonly queryArg: string | null
  readonly uriCapture: string | null
  readonly cookie: string | null
  readonly cookiePath: string
}

function hashedOf(source: HashSource, exchange: Exchange, names: Names): string | undefined {
  switch (source) {
    case 'consumer':
      return exchange.consumer?.id ?? exchange.credential?.id
    case 'ip':
      return exchange.clientIp
    case 'path':
      return exchange.path
    case 'header':
      return headerOf(exchange, names.header ?? '')
    case 'query_arg':
      return queryArgOf(exchange, names.queryArg ?? '')
    case 'uri_capture':
      return uriCaptureOf(exchange, names.uriCapture ?? '')
    case 'cookie':
      return cookieOf(exchange, names.cookie ?? '') ?? givenCookie(exchange, names)
    default:
      return undefined
  }
}

function headerOf({ headers }: Exchange, name: string): string | undefined {
  const value = headers[name.toLowerCase()]
  return Array.isArray(value) ? value.join(', ') : value
}

function queryArgOf({ query }: Exchange, name: string): string | undefined {
  return new URLSearchParams(query).get(name) ?? undefined
}

function cookieOf({ headers }: Exchange, name: string): string | undefined {
  const start = `${name}=`
  const pairs = headers.cookie?.split(';').map((pair) => pair.trim())
  return pairs?.find((pair) => pair.startsWith(start))?.slice(start.length)
}

function givenCookie(exchange: Exchange, { cookie, cookiePath }: Names): string {
  const value = randomUUID()
  exchange.addReplyHeader(SET_COOKIE, `${cookie}=${value}; Path=${cookiePath}; SameSite=Lax; HttpOnly`)
  return value
}
