/** A record of a service's page: what fits a line, what needs a paragraph, and identifiers apart. */
export type PageRow = {
  readonly key: string
  readonly short: readonly (readonly [name: string, value: string])[]
  readonly long: readonly (readonly [name: string, value: string])[]
  readonly ids: readonly (readonly [name: string, value: string])[]
}

/** Longest value that stays on the line. */
const SHORT_LENGTH_MAX = 60

/** The records of an answer: of itself when it is a list, else of its first list. */
export function rowsOf(body: unknown): readonly PageRow[] {
  const list = Array.isArray(body) ? body : Object.values((body ?? {}) as object).find(Array.isArray)
  return (list ?? []).map((record: unknown, index: number) => rowOf(record, index))
}

function rowOf(record: unknown, index: number): PageRow {
  const isObject = typeof record === 'object' && record !== null
  const entries = Object.entries(isObject ? record : { value: record }).map(
    ([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)] as const,
  )
  const ids = entries.filter(([name]) => /(?:^id|Id)$/.test(name))
  const others = entries.filter((entry) => !ids.includes(entry)).map(([name, value]) => [name, dated(value)] as const)
  return {
    key: ids[0]?.[1] ?? String(index),
    short: others.filter(([, value]) => value.length <= SHORT_LENGTH_MAX && !value.includes('\n')),
    long: others.filter(([, value]) => value.length > SHORT_LENGTH_MAX || value.includes('\n')),
    ids,
  }
}

const DATE_TIME = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })

/** A moment in ISO 8601 in the reader's own time. */
function dated(value: string): string {
  return /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? DATE_TIME.format(new Date(value)) : value
}
