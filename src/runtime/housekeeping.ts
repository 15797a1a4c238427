import type { Lifecycle } from '../core/index.ts'
import { housekeepingFailed } from './channels.ts'
import { HOUSEKEEPING_DELAY_MS, HOUSEKEEPING_INTERVAL_MS } from './limits.ts'

export type HousekeepingTimes = { readonly delayMs: number; readonly intervalMs: number }

/**
 * Runs a task shortly after the start, so that a process that is often restarted does it too, and then every hour. A
 * round that fails is published and tried again in the next; rounds never overlap. Returns how to stop.
 */
export function keepHouse(
  name: string,
  task: () => Promise<unknown>,
  times: HousekeepingTimes = { delayMs: HOUSEKEEPING_DELAY_MS, intervalMs: HOUSEKEEPING_INTERVAL_MS },
): Lifecycle['stop'] {
  let round: Promise<unknown> = Promise.resolve()
  let timer: NodeJS.Timeout
  let isStopped = false
  const runAfter = (delayMs: number) => {
    timer = setTimeout(() => {
      round = task()
        .catch((error: unknown) => housekeepingFailed.publish({ task: name, error }))
        .then(() => isStopped || runAfter(times.intervalMs))
    }, delayMs)
    timer.unref()
  }
  runAfter(times.delayMs)
  return async () => {
    isStopped = true
    clearTimeout(timer)
    await round
  }
}
