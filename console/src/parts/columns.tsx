import type { ReactNode } from 'react'
import { count, type Quantity } from '../format.ts'
import { Figure } from './figure.tsx'
import type { Column } from './sortable-table.tsx'

export type NumberColumn<Row> = {
  readonly value: (row: Row) => number | undefined
  readonly quantity: (value: number | undefined) => Quantity
}

export function number<Row>(id: string, label: string, { value, quantity }: NumberColumn<Row>): Column<Row> {
  return { id, label, isNumber: true, value, cell: (row) => <Figure quantity={quantity(value(row))} /> }
}

/** A column of counts that ought to be nought. */
export function errors<Row>(id: string, label: string, value: (row: Row) => number): Column<Row> {
  return { id, label, isNumber: true, value, cell: (row) => <Errors value={value(row)} /> }
}

function Errors({ value }: { readonly value: number }) {
  return <Figure quantity={count(value)} tone={value > 0 ? 'red' : 'quiet'} />
}

export function Quiet({ children }: { readonly children: ReactNode }) {
  return <span className="quiet">{children}</span>
}
