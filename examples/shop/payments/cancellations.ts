import { type Cluster, systemClock } from 'groundswell'
import { findCancelled, type OrderKey } from './payment.ts'

/**
 * Which payments were cancelled before they were charged, from memory: one process has the events of a shard, so what
 * it cancelled itself is nearly always all there is, and asking the database for every charge would double its time.
 * What slips through, after a shard changed its process, is charged and then refunded.
 */
type Memory = { readonly sinceMs: number; readonly orderIds: Set<string> }

/** Cancellations remembered at the most: those of an order's first minutes at a thousand a second. */
const REMEMBERED_MAX = 100_000

const memories = new WeakMap<Cluster, Memory>()

export function rememberCancelled(data: Cluster, orderIds: readonly string[]): void {
  const remembered = memoryOf(data).orderIds
  for (const orderId of orderIds) remembered.add(orderId)
  for (const oldest of remembered) {
    if (remembered.size <= REMEMBERED_MAX) break
    remembered.delete(oldest)
  }
}

/** Whether to leave an order uncharged. Asks the database only about orders from before this process's memory began. */
export async function isCancelled(data: Cluster, order: OrderKey & { readonly placedAtMs: number }): Promise<boolean> {
  const { sinceMs, orderIds } = memoryOf(data)
  if (orderIds.has(order.orderId)) return true
  return order.placedAtMs < sinceMs && data.forKey(order.userId).write(findCancelled, order)
}

function memoryOf(data: Cluster): Memory {
  const memory = memories.get(data) ?? { sinceMs: systemClock.now(), orderIds: new Set<string>() }
  memories.set(data, memory)
  return memory
}
