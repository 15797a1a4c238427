export type Direction = 'ascending' | 'descending'
export type Sorting = { readonly column: string; readonly direction: Direction }

export type SortValue = number | string | undefined

/** Unknown values come last, whatever the direction: they are no answer to "which is the most" nor "the least". */
export function sorted<Row>(
  rows: readonly Row[],
  sortValue: (row: Row) => SortValue,
  direction: Direction,
): readonly Row[] {
  const sign = direction === 'ascending' ? 1 : -1
  return [...rows].sort((one, other) => {
    const [left, right] = [known(sortValue(one)), known(sortValue(other))]
    if (left === undefined || right === undefined) return Number(left === undefined) - Number(right === undefined)
    if (typeof left === 'string' || typeof right === 'string') return sign * String(left).localeCompare(String(right))
    return sign * (left - right)
  })
}

function known(value: SortValue): SortValue {
  return typeof value === 'number' && Number.isNaN(value) ? undefined : value
}

/** `p95Ms` or `-p95Ms`, as an address holds it. */
export function parseSorting(text: string | undefined, fallback: Sorting): Sorting {
  if (text === undefined || text === '') return fallback
  return text.startsWith('-')
    ? { column: text.slice(1), direction: 'descending' }
    : { column: text, direction: 'ascending' }
}

export function formatSorting({ column, direction }: Sorting): string {
  return direction === 'descending' ? `-${column}` : column
}
