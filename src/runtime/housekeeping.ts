import type { Lifecycle } from '../core/index.ts'
import type { OpenCluster } from '../data/index.ts'
import { purgeIdempotencyKeys } from '../service/index.ts'
import { HOUSEKEEPING_INTERVAL_MS, IDEMPOTENCY_KEPT_MS } from './limits.ts'

/**
 * Deletes idempotency keys past their time, every hour. Returns how to stop. A failed round is tried again in the next.
 */
export function keepIdempotencyKeysFresh(cluster: OpenCluster): Lifecycle['stop'] {
  let round: Promise<unknown> = Promise.resolve()
  const timer = setInterval(() => {
    round = purgeIdempotencyKeys(cluster, IDEMPOTENCY_KEPT_MS).catch(() => undefined)
  }, HOUSEKEEPING_INTERVAL_MS)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await round
  }
}
