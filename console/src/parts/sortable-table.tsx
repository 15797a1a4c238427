import type { ReactNode } from 'react'
import { setParameters, useAddress } from '../store/router.ts'
import { formatSorting, parseSorting, type Sorting, type SortValue, sorted } from './sorting.ts'

export type Column<Row> = {
  readonly id: string
  readonly label: string
  readonly isNumber?: boolean
  /** Absent where sorting makes no sense. */
  readonly value?: (row: Row) => SortValue
  readonly cell: (row: Row) => ReactNode
}

export type SortableTableProps<Row> = {
  /** Names the table in the address, where its order is kept. */
  readonly id: string
  readonly caption: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  readonly keyOf: (row: Row) => string
  readonly initial: Sorting
  readonly classOf?: (row: Row) => string
}

export function SortableTable<Row>(props: SortableTableProps<Row>) {
  const { id, caption, columns, rows, keyOf, initial, classOf } = props
  const parameter = `sort.${id}`
  const sorting = parseSorting(useAddress().parameters[parameter], initial)
  const by = columns.find((column) => column.id === sorting.column)?.value
  const ordered = by === undefined ? rows : sorted(rows, by, sorting.direction)
  return (
    <div className="table-scroll">
      <table>
        <caption className="unseen">{caption}</caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head key={column.id} column={column} sorting={sorting} parameter={parameter} />
            ))}
          </tr>
        </thead>
        <tbody>
          {ordered.map((row) => (
            <tr key={keyOf(row)} className={classOf?.(row)}>
              {columns.map((column) => (
                <td key={column.id} className={column.isNumber === true ? 'number' : ''}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

type HeadProps<Row> = { readonly column: Column<Row>; readonly sorting: Sorting; readonly parameter: string }

function Head<Row>({ column, sorting, parameter }: HeadProps<Row>) {
  const { id, label, isNumber = false, value } = column
  const isSorted = sorting.column === id
  const className = isNumber ? 'number' : ''
  if (value === undefined) return <th className={className}>{label}</th>
  const next: Sorting = { column: id, direction: directionAfter(sorting, { isSorted, isNumber }) }
  return (
    <th className={className} aria-sort={isSorted ? sorting.direction : 'none'}>
      <button type="button" onClick={() => setParameters({ [parameter]: formatSorting(next) })}>
        {label}
      </button>
    </th>
  )
}

/** Numbers begin with the largest, names with the first. */
function directionAfter(sorting: Sorting, { isSorted, isNumber }: { isSorted: boolean; isNumber: boolean }) {
  if (isSorted) return sorting.direction === 'ascending' ? 'descending' : 'ascending'
  return isNumber ? 'descending' : 'ascending'
}
