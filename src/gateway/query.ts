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

/** Whether a query has `name`, with a value or without. */
export function hasQueryName(query: string, name: string): boolean {
  return partsOf(query).some((part) => nameOf(part) === name)
}

/** The decoded values by their names: of a name without `=` true, of a repeated one a list. As Kong's `get_query`. */
export function queryTable(query: string): Readonly<Record<string, unknown>> {
  const table = new Map<string, unknown>()
  for (const part of partsOf(query)) {
    if (part === '') continue
    const name = nameOf(part)
    const value = part.includes('=') ? decode(part.slice(part.indexOf('=') + 1)) : true
    table.set(name, table.has(name) ? [table.get(name), value].flat() : value)
  }
  return Object.fromEntries(table)
}

/** What is to be done to a query, by decoded names and values, in this order. */
export type QueryRules = {
  readonly remove: readonly string[]
  readonly rename: readonly { readonly name: string; readonly value: string }[]
  readonly replace: readonly (readonly [name: string, value: string])[]
  readonly add: readonly (readonly [name: string, value: string])[]
  readonly append: readonly (readonly [name: string, value: string])[]
}

/** The query after that. What no rule names stays as it came, byte for byte, and where it was. */
export function changedQuery(query: string, { remove, rename, replace, add, append }: QueryRules): string {
  let parts = partsOf(query).filter((part) => part !== '' && !remove.includes(nameOf(part)))
  const has = (name: string) => parts.some((part) => nameOf(part) === name)
  for (const { name, value } of rename) if (has(name)) parts = renamed(parts, name, value)
  for (const [name, value] of replace) {
    const first = parts.findIndex((part) => nameOf(part) === name)
    if (first < 0) continue
    parts[first] = partOf(name, value)
    parts = parts.filter((part, index) => index <= first || nameOf(part) !== name)
  }
  for (const [name, value] of add) if (!has(name)) parts.push(partOf(name, value))
  for (const [name, value] of append) parts.push(partOf(name, value))
  return parts.length === 0 ? '' : `?${parts.join('&')}`
}

/** In place of whatever had the new name. */
function renamed(parts: readonly string[], from: string, to: string): string[] {
  const kept = from === to ? parts : parts.filter((part) => nameOf(part) !== to)
  return kept.map((part) => {
    if (nameOf(part) !== from) return part
    return part.includes('=') ? encodeURIComponent(to) + part.slice(part.indexOf('=')) : encodeURIComponent(to)
  })
}

function partOf(name: string, value: string): string {
  return `${encodeURIComponent(name)}=${encodeURIComponent(value)}`
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
