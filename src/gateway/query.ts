/** Query strings read one name at a time, so that the rest of them stays as it came, byte for byte. */

/** The decoded values of `name` in a query with its question mark. A name without `=` has no value. */
export function queryValues(query: string, name: string): string[] {
  if (query.length < 2) return []
  return partsOf(query)
    .filter((part) => part.includes('=') && nameOf(part) === name)
    .map((part) => decode(part.slice(part.indexOf('=') + 1)))
}

/** Whether `name` is in a query, with a value or without. */
export function hasQueryName(query: string, name: string): boolean {
  return query.length > 1 && partsOf(query).some((part) => nameOf(part) === name)
}

/** What Kong's plugins see of a parameter: one without `=` is true. */
type Parameter = string | true

/** Every parameter of a query, decoded, those of the same name as a list. Without a name there is none. */
export function queryParameters(query: string): Readonly<Record<string, Parameter | readonly Parameter[]>> {
  const parameters = new Map<string, Parameter[]>()
  for (const part of partsOf(query)) {
    const name = nameOf(part)
    if (name === '') continue
    const value = part.includes('=') ? decode(part.slice(part.indexOf('=') + 1)) : true
    const known = parameters.get(name)
    if (known === undefined) parameters.set(name, [value])
    else known.push(value)
  }
  // From entries, so that a parameter may have any name: `__proto__` is one as well.
  return Object.fromEntries(
    [...parameters].map(([name, [first = true, ...more]]) => [name, more.length === 0 ? first : [first, ...more]]),
  )
}

/** The query without every occurrence of `name`; empty when nothing is left. */
export function withoutQueryName(query: string, name: string): string {
  if (query.length < 2) return query
  const parts = partsOf(query)
  const kept = parts.filter((part) => nameOf(part) !== name)
  if (kept.length === parts.length) return query
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}

/** The query with every occurrence of `name` under another one, in its place; what had that name goes. */
export function withQueryNameChanged(query: string, name: string, changed: string): string {
  if (name === changed || !hasQueryName(query, name)) return query
  const parts = partsOf(withoutQueryName(query, changed))
  return `?${parts.map((part) => (nameOf(part) === name ? renamed(part, changed) : part)).join('&')}`
}

/** The query with one value of `name`, where its first one stood, or at the end. */
export function withQueryValue(query: string, name: string, value: string): string {
  if (!hasQueryName(query, name)) return withQueryAppended(query, [[name, value]])
  const parts = partsOf(query)
  const first = parts.findIndex((part) => nameOf(part) === name)
  const kept = parts.filter((part, index) => index <= first || nameOf(part) !== name)
  return `?${kept.with(first, encoded([name, value])).join('&')}`
}

/** The query with further parameters at its end. */
export function withQueryAppended(query: string, added: Iterable<readonly [string, Parameter]>): string {
  const parts = query.length < 2 ? [] : [query.slice(1)]
  for (const parameter of added) parts.push(encoded(parameter))
  return parts.length === 0 ? query : `?${parts.join('&')}`
}

function renamed(part: string, name: string): string {
  const equals = part.indexOf('=')
  return encoded([name, true]) + (equals < 0 ? '' : part.slice(equals))
}

/** A value that came with a header may be no text that can be encoded: what cannot be is replaced. */
function encoded([name, value]: readonly [string, Parameter]): string {
  const written = encodeURIComponent(name.toWellFormed())
  return value === true ? written : `${written}=${encodeURIComponent(value.toWellFormed())}`
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
