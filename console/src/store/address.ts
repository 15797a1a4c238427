/**
 * The address of what is on screen, as the part of the URL behind `#`: `/traces/4bf9…?span=300000&sort.routes=p95Ms`.
 * It holds all that a colleague needs to see the same.
 */
export type Address = {
  readonly view: string
  /** What of the view is open, such as a trace's id. */
  readonly item: string | undefined
  readonly parameters: Readonly<Record<string, string>>
}

export function parseAddress(hash: string): Address {
  const [path = '', query = ''] = hash.replace(/^#/, '').split('?', 2)
  const [view = '', ...item] = path.split('/').filter((part) => part !== '')
  return {
    view: view === '' ? 'overview' : decoded(view),
    item: item.length === 0 ? undefined : decoded(item.join('/')),
    parameters: Object.fromEntries(new URLSearchParams(query)),
  }
}

export function formatAddress({ view, item, parameters }: Address): string {
  const query = new URLSearchParams(Object.entries(parameters).filter(([, value]) => value !== ''))
  const path = `#/${encodeURIComponent(view)}${item === undefined ? '' : `/${encodeURIComponent(item)}`}`
  return query.size === 0 ? path : `${path}?${query}`
}

/** Half an escape, as a mail program may leave it, stays as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    if (error instanceof URIError) return text
    throw error
  }
}
