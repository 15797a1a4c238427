/** Time, owned by core so that tests can own it. */
export type Clock = {
  /** Milliseconds since the Unix epoch. */
  now(): number
}

export const systemClock: Clock = { now: () => Date.now() }

/**
 * The present as milliseconds since the Unix epoch, with fractions, for what is measured within one process: two
 * moments of one millisecond can be told apart. The system's clock is looked at once a minute, since the two drift.
 */
export function preciseNow(): number {
  const elapsedMs = performance.now()
  if (elapsedMs - anchoredAtMs > ANCHOR_MS) {
    anchoredAtMs = elapsedMs
    anchorMs = Date.now() - elapsedMs
  }
  return anchorMs + elapsedMs
}

const ANCHOR_MS = 60_000
let anchoredAtMs = Number.NEGATIVE_INFINITY
let anchorMs = 0

/** Resolves after `durationMs`, or at once when `signal` aborts. */
export function delay(durationMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const finish = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', finish)
      resolve()
    }
    const timer = setTimeout(finish, durationMs)
    signal?.addEventListener('abort', finish, { once: true })
  })
}

/** A pause between half and one and a half times `pauseMs`, so that processes do not move in step. */
export function jittered(pauseMs: number): number {
  return pauseMs * (0.5 + Math.random())
}
