/** Directives of a Cache-Control header, those without a value as true. Source: RFC 9111, 5.2. */
export type CacheControl = ReadonlyMap<string, string | true>

const DIRECTIVE = /([\w-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,;"]+)))?/g

export function cacheControlOf(header: string | readonly string[] | undefined): CacheControl {
  const directives = new Map<string, string | true>()
  for (const [, name = '', quoted, plain] of String(header ?? '').matchAll(DIRECTIVE)) {
    directives.set(name.toLowerCase(), quoted ?? plain ?? true)
  }
  return directives
}

/** What any larger number of seconds counts as. Source: RFC 9111, 1.2.2. */
const SECONDS_MAX = 2 ** 31

/** Of a directive in seconds; undefined when it is not there or is no number. */
export function secondsOf(directives: CacheControl, name: string): number | undefined {
  const value = directives.get(name)
  return typeof value === 'string' && /^\d+$/.test(value) ? Math.min(Number(value), SECONDS_MAX) : undefined
}
