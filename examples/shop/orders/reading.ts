import { bucketOf, bucketOfId, type Cluster } from 'groundswell'
import { decodeCursor, encodeCursor } from '../cursor.ts'
import type { HistoryEntry, OrderStatus, OrderSummary, PricedLine, RejectionReason } from './contract.ts'

type OrderRow = {
  readonly order_id: string
  readonly user_id: number
  readonly lines: string
  readonly total_cents: number
  readonly status: OrderStatus
  readonly reason: RejectionReason | null
  readonly payment: 'authorized' | 'declined' | null
  readonly stock: 'reserved' | 'rejected' | null
  readonly placed_at_ms: number
  readonly payment_at_ms: number | null
  readonly stock_at_ms: number | null
  readonly decided_at_ms: number | null
  readonly shipped_at_ms: number | null
}

/**
 * The order that an id names; the id itself says on which shard it is. Undefined when there is none, or it is no id.
 */
export async function findOrder(data: Cluster, orderId: string) {
  const bucket = bucketOfId(orderId)
  if (bucket === undefined) return undefined
  const [row] = await data.forBucket(bucket).query<OrderRow>(FIND, [bucket, orderId])
  return row === undefined ? undefined : { ...summaryOf(row), history: [...historyOf(row)] }
}

/** A page of a user's orders, newest first: order ids sort by time. `bad cursor` when the text is no cursor of ours. */
export async function pageOfOrders(
  data: Cluster,
  userId: number,
  page: { readonly cursor?: string | undefined; readonly limit: number },
): Promise<{ orders: OrderSummary[]; nextCursor?: string } | 'bad cursor'> {
  const before = page.cursor === undefined ? LAST_ID : decodeCursor(page.cursor)
  if (before === undefined || !UUID.test(before)) return 'bad cursor'
  const values = [bucketOf(userId), userId, before, page.limit + 1]
  const rows = await data.forKey(userId).query<OrderRow>(LIST, values)
  const orders = rows.slice(0, page.limit).map(summaryOf)
  const last = orders.at(-1)
  return rows.length > orders.length && last !== undefined
    ? { orders, nextCursor: encodeCursor(last.orderId) }
    : { orders }
}

/** What happened, in order of time: the row keeps when, so that an update never grows it. */
export function historyOf(
  row: Omit<OrderRow, 'order_id' | 'user_id' | 'lines' | 'total_cents' | 'reason'>,
): HistoryEntry[] {
  const { payment, stock, status } = row
  const decision = status === 'rejected' ? 'rejected' : 'confirmed'
  const moments: [HistoryEntry['status'], number | null][] = [
    ['placed', row.placed_at_ms],
    [`payment_${payment ?? 'authorized'}`, row.payment_at_ms],
    [`stock_${stock ?? 'reserved'}`, row.stock_at_ms],
    [decision, row.decided_at_ms],
    ['shipped', row.shipped_at_ms],
  ]
  return moments
    .flatMap(([entry, atMs]) => (atMs === null ? [] : [{ status: entry, atMs }]))
    .sort((a, b) => a.atMs - b.atMs)
    .map(({ status: entry, atMs }) => ({ status: entry, at: new Date(atMs).toISOString() }))
}

function summaryOf(row: OrderRow): OrderSummary {
  return {
    orderId: row.order_id,
    userId: row.user_id,
    status: row.status,
    ...(row.reason === null ? {} : { reason: row.reason }),
    lines: JSON.parse(row.lines) as PricedLine[],
    totalCents: row.total_cents,
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
const LAST_ID = 'ffffffff-ffff-ffff-ffff-ffffffffffff'

const COLUMNS = `order_id, user_id, lines, total_cents, status, reason, payment, stock,
  placed_at_ms, payment_at_ms, stock_at_ms, decided_at_ms, shipped_at_ms`

const FIND = `SELECT ${COLUMNS} FROM orders.orders WHERE bucket = $1 AND order_id = $2`

const LIST = `
  SELECT ${COLUMNS} FROM orders.orders
  WHERE bucket = $1 AND user_id = $2 AND order_id < $3 ORDER BY order_id DESC LIMIT $4`
