/**
 * Paths of requests: normalised before they are matched, and joined with the service's path afterwards.
 * Source: RFC 3986, section 6.2.2; Kong 3.9, `kong/tools/uri.lua` and `kong/router/utils.lua`.
 */
const ABNORMAL = /%|\/[/.]|[^!-~]/
const ESCAPE = /%([0-9a-f]{2})/gi
const UNRESERVED = /[A-Za-z0-9\-._~]/
const OUTSIDE_URI = /[^!-~]/g

/**
 * The one form of a path that all its spellings have: `//` merged, `.` and `..` resolved, escapes of unreserved
 * characters decoded and all others in upper case (`%2f` stays `%2F`). Never climbs above `/`.
 */
export function normalisePath(path: string): string {
  if (!ABNORMAL.test(path)) return path
  const decoded = path
    .replace(ESCAPE, decodeUnreserved)
    .replace(OUTSIDE_URI, escapeByte)
    .replace(/\/{2,}/g, '/')
  return decoded.includes('/.') ? resolveDots(decoded) : decoded
}

function decodeUnreserved(triplet: string, digits: string): string {
  const character = String.fromCharCode(Number.parseInt(digits, 16))
  return UNRESERVED.test(character) ? character : triplet.toUpperCase()
}

/** Node reads the request line as Latin-1: every character is one byte. */
function escapeByte(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
}

function resolveDots(path: string): string {
  const segments = path.split('/')
  const kept: string[] = []
  for (const segment of segments.slice(1)) {
    if (segment === '..') kept.pop()
    else if (segment !== '.') kept.push(segment)
  }
  const last = segments.at(-1)
  if ((last === '.' || last === '..') && kept.at(-1) !== '') kept.push('')
  return `/${kept.join('/')}`
}

/** How a route and its service turn the path of a request into the path of the upstream. */
export type PathPlan = {
  /** The service's path, `/` when it has none. */
  readonly base: string
  readonly strip: boolean
  readonly handling: 'v0' | 'v1'
}

/** The upstream's path for a normalised `path` of which the route matched the first `matchedChars`. */
export function upstreamPath(plan: PathPlan, path: string, matchedChars: number): string {
  if (!plan.strip) return plan.base === '/' ? path : joinWhole(plan.base, path)
  const rest = withoutDots(path.slice(matchedChars))
  if (plan.handling === 'v1') return joinAsText(plan.base, rest)
  return rest === '' ? joinNothing(plan.base, path) : joinRest(plan.base, rest)
}

/** A prefix may end inside a segment (`/rou` of `/rou../x`): what is left must not climb out of the service's path. */
function withoutDots(rest: string): string {
  if (!rest.startsWith('.')) return rest
  if (rest === '.' || rest === '..') return ''
  if (rest.startsWith('./')) return rest.slice(2)
  return rest.startsWith('../') ? rest.slice(3) : rest
}

function joinWhole(base: string, path: string): string {
  if (base.endsWith('/')) return base + path.slice(1)
  return path === '/' ? base : base + path
}

/** The route matched all of the path: a slash at its end survives. */
function joinNothing(base: string, path: string): string {
  const slash = path.endsWith('/')
  if (base === '/') return base
  if (base.endsWith('/')) return slash ? base : base.slice(0, -1)
  return slash && path.length > 1 ? `${base}/` : base
}

function joinRest(base: string, rest: string): string {
  const bare = base.endsWith('/') ? base.slice(0, -1) : base
  return rest.startsWith('/') ? bare + rest : `${bare}/${rest}`
}

/** Kong 1.x's way: service path and rest as one text, but for a doubled slash. */
function joinAsText(base: string, rest: string): string {
  return base.endsWith('/') && rest.startsWith('/') ? base + rest.slice(1) : base + rest
}
