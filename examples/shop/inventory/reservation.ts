import type { Transaction } from 'groundswell'
import { type Allocation, allocate, type Line, skusOf, totalsOf } from './allocation.ts'

/**
 * Reservations of one batch. States of an order:
 *
 *     (none) ──reserve──▶ reserved ──release──▶ released
 *       ├──────reserve──▶ rejected
 *       └──────release──▶ released      a refusal that arrived before its order: nothing will be reserved
 *
 * Both moves first lock the stock rows of all their SKUs, in the order of their names. Two moves of one order share
 * its SKUs, so they run one after the other, and what is read after the lock is final.
 */
export type Reserving = { readonly orderId: string; readonly lines: readonly Line[] }

/** Reserves in order of arrival. Orders already decided are left out of the answer. */
export async function reserve(tx: Transaction, orders: readonly Reserving[]): Promise<readonly Allocation[]> {
  const locking = lockStock(tx, orders)
  const deciding = tx.query<{ order_id: string }>(DECIDED, [orders.map(({ orderId }) => orderId)])
  const [stock, rows] = await Promise.all([locking, deciding])
  const decided = new Set(rows.map((row) => row.order_id))
  const open = orders.filter(({ orderId }) => !decided.has(orderId))
  const { allocations, taken } = allocate(stock, open)
  void changeStock(tx, taken, -1)
  void tx.query(RECORD, [
    open.map(({ orderId }) => orderId),
    allocations.map(({ state }) => state),
    open.map(({ lines }) => JSON.stringify(lines.map(({ sku, quantity }) => ({ sku, quantity })))),
  ])
  return allocations
}

/** Gives back what refused orders had reserved. */
export async function release(tx: Transaction, orders: readonly Reserving[]): Promise<void> {
  const ids = orders.map(({ orderId }) => orderId)
  void lockStock(tx, orders)
  const releasing = tx.query<{ lines: string }>(RELEASE, [ids])
  void tx.query(RECORD_RELEASED, [ids])
  const lines = (await releasing).flatMap((row) => JSON.parse(row.lines) as Line[])
  void changeStock(tx, totalsOf(lines), +1)
}

async function lockStock(tx: Transaction, orders: readonly Reserving[]): Promise<ReadonlyMap<string, number>> {
  const rows = await tx.query<{ sku: string; available: number }>(LOCK_STOCK, [skusOf(orders)])
  return new Map(rows.map((row) => [row.sku, row.available]))
}

function changeStock(tx: Transaction, quantities: ReadonlyMap<string, number>, sign: 1 | -1): Promise<unknown> {
  if (quantities.size === 0) return Promise.resolve()
  return tx.query(CHANGE_STOCK, [[...quantities.keys()], [...quantities.values()].map((quantity) => sign * quantity)])
}

const LOCK_STOCK = `SELECT sku, available FROM inventory.stock WHERE sku = ANY ($1::text[]) ORDER BY sku FOR UPDATE`

const DECIDED = `SELECT order_id FROM inventory.reservation WHERE order_id = ANY ($1::uuid[])`

const CHANGE_STOCK = `
  UPDATE inventory.stock SET available = available + change.quantity
  FROM unnest($1::text[], $2::bigint[]) AS change (sku, quantity) WHERE stock.sku = change.sku`

const RECORD = `
  INSERT INTO inventory.reservation (order_id, state, lines)
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])`

const RELEASE = `
  UPDATE inventory.reservation SET state = 'released'
  WHERE order_id = ANY ($1::uuid[]) AND state = 'reserved' RETURNING lines`

const RECORD_RELEASED = `
  INSERT INTO inventory.reservation (order_id, state, lines)
  SELECT id, 'released', '[]' FROM unnest($1::uuid[]) AS id
  ON CONFLICT (order_id) DO NOTHING`
