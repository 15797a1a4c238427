/** Query strings read one name at a time, so that the rest of them stays as it came, byte for byte. */

/** The decoded values of `name` in a query with its question mark. A name without `=` has no value. */
export function queryValues(query: string, name: string): string[] {
  if (query.length < 2) return []
  return partsOf(query)
    .filter((part) => part.includes('=') && nameOf(part) === name)
    .map((part) => decode(part.slice(part.indexOf('=') + 1)))
}

/** The query without every occurrence of `name`; empty when nothing is left. */
export function withoutQueryName(query: string, name: string): string {
  if (query.length < 2) return query
  const parts = partsOf(query)
  const kept = parts.filter((part) => nameOf(part) !== name)
  if (kept.length === parts.length) return query
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}

function partsOf(query: string): string[] {
  return query.slice(1).split('&')
}

function nameOf(part: string): string {
  const equals = part.indexOf('=')
  return decode(equals < 0 ? part : part.slice(0, equals))
}

function decode(text: string): string {
  const spaced = text.replaceAll('+', ' ')
  try {
    return decodeURIComponent(spaced)
  } catch (error) {
    // Not UTF-8, or a stray percent sign: taken as it is written, as nginx does.
    if (error instanceof URIError) return spaced
    throw error
  }
}
