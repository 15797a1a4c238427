/** Which value of Access-Control-Allow-Origin an origin gets: `*`, an origin, or none. */
export type OriginRule = (origin: string | undefined) => string | undefined

const LITERAL = /^[A-Za-z0-9.:/-]+$/

type Origin = { readonly whole: string; readonly host: string }

/**
 * The rule of a list of origins. A single plain one is announced to everybody. Of several, the one that the client
 * comes from: plain ones match exactly, others are regular expressions that must match the whole origin, or its host
 * when they have no colon. Throws a SyntaxError for what is neither.
 */
export function originRule(entries: readonly string[]): OriginRule {
  const [first = '*'] = entries
  if (entries.length <= 1 && (first === '*' || LITERAL.test(first))) return () => first
  if (entries.includes('*')) return (origin) => (origin === undefined ? undefined : '*')
  const tests = entries.map(originTest)
  return (origin) => {
    const parsed = origin === undefined ? undefined : parseOrigin(origin)
    return parsed !== undefined && tests.some((matches) => matches(parsed)) ? parsed.whole : undefined
  }
}

function originTest(entry: string): (origin: Origin) => boolean {
  if (LITERAL.test(entry)) {
    const { whole } = parseOrigin(entry)
    return (origin) => origin.whole === whole
  }
  // Whole, whatever it says: without the group, alternatives would be anchored on one side only.
  const pattern = new RegExp(`^(?:${entry.replace(/^\^/, '').replace(/(?<!\\)\$$/, '')})$`)
  const byHost = !entry.includes(':')
  return (origin) => pattern.test(byHost ? origin.host : origin.whole)
}

const ORIGIN = /^([a-z][a-z\d+.-]*):\/\/(\[[^\]]*\]|[^/:?#]*)(?::(\d+))?/i

/** Without the port where it is the scheme's own. */
function parseOrigin(text: string): Origin {
  const [, scheme = '', host = '', port] = ORIGIN.exec(text) ?? []
  if (host === '') return { whole: text, host: text }
  const isOwn = port === undefined || (scheme === 'http' && port === '80') || (scheme === 'https' && port === '443')
  return { whole: `${scheme}://${host}${isOwn ? '' : `:${port}`}`, host }
}
