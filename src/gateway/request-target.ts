import type { Exchange } from './exchange.ts'
import { normalisePath } from './path.ts'

/**
 * Path and query of a request. No fragment: servers disagree about where such a path ends. Of the characters that a URI
 * must escape those are refused that no browser sends unescaped, among them `\`, which some servers read as `/`.
 * Source: RFC 9112, 3.2; RFC 3986, appendix A; WHATWG URL, percent-encode sets.
 */
const PATH_AND_QUERY = /^[^?#"<>\\^`{}]*(?:\?[^#"<>]*)?$/

/** What is no escape, and the one of a character that C's strings end with: servers disagree about both. */
const BAD_ESCAPE = /%(?![\da-f]{2})|%00/i

/** Of a request as proxies get it: `http://shop.example/a?b`. No user and no password. */
const ABSOLUTE_FORM = /^https?:\/\/((?:[\w.~-]+|\[[\da-f:.]+\])(?::\d{1,5})?)(?=[/?]|$)(.*)$/i

/**
 * Splits the request's target; false when it is none that a gateway can serve. The host of an absolute target stands in
 * for the header's (RFC 9112, 3.2.2).
 */
export function readTarget(exchange: Exchange): boolean {
  const url = exchange.request.url ?? ''
  const target = url.startsWith('/') ? url : readAbsolute(exchange, url)
  if (target === undefined || !PATH_AND_QUERY.test(target)) return false
  const mark = target.indexOf('?')
  exchange.rawPath = (mark < 0 ? target : target.slice(0, mark)) || '/'
  exchange.query = mark < 0 ? '' : target.slice(mark)
  if (exchange.rawPath.includes('%') && BAD_ESCAPE.test(exchange.rawPath)) return false
  exchange.path = normalisePath(exchange.rawPath)
  return true
}

function readAbsolute(exchange: Exchange, url: string): string | undefined {
  const [, authority, target] = ABSOLUTE_FORM.exec(url) ?? []
  if (authority !== undefined) exchange.headers.host = authority
  return target
}
