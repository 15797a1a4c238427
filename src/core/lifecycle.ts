/** Everything long-lived. Both calls are idempotent. */
export type Lifecycle = {
  start(): Promise<void>
  /**
   * Finishes what was accepted and refuses what is new; cuts off what is left at `deadlineAtMs` (Unix epoch
   * milliseconds).
   */
  stop(options: StopOptions): Promise<void>
}

export type StopOptions = { readonly deadlineAtMs: number }

/** Resolves with `work`, or after the deadline, whichever is first; tells which. */
export async function untilDeadline(work: Promise<unknown>, options: StopOptions): Promise<'done' | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = setTimeout(() => resolve('late'), Math.max(0, options.deadlineAtMs - Date.now()))
  })
  try {
    return await Promise.race([work.then(() => 'done' as const), late])
  } finally {
    clearTimeout(timer)
  }
}
