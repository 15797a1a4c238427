import type { Cluster } from '../data/index.ts'
import { type Lag, lag, outboxDepth } from './operations.ts'

/**
 * Whether nothing waits for any of these groups: neither in an outbox, where it is before the log knows of it and the
 * lag does not count it, nor in the log. In this order, for what leaves the one is in the other.
 */
export async function isSettled(cluster: Cluster, isOurs: (row: Lag) => boolean = () => true): Promise<boolean> {
  if ((await outboxDepth(cluster)).some(({ events }) => events > 0)) return false
  return (await lag(cluster)).every((row) => row.lag === 0 || !isOurs(row))
}
