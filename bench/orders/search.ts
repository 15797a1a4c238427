import type { Arm } from './arm.ts'
import { runWindow, type Window } from './window.ts'

export type SearchSettings = {
  readonly probeSeconds: number
  /** Length of the window that must confirm the rate. */
  readonly seconds: number
  readonly rateStart: number
  readonly log: (line: string) => void
}

const STEP_UP = 1.5
/** The search ends when the bracket is this narrow. */
const PRECISION = 0.08
const RATE_MIN = 20
const CONFIRM_ATTEMPTS_MAX = 6
const CONFIRM_STEP_DOWN = 0.9

/**
 * The highest rate that an arm sustains: up in steps of one half until a probe falls short, then bisection, then a
 * window of full length, lower by a tenth each time that it falls short. Short probes flatter: only the confirmed rate
 * counts.
 */
export async function findSustainedRate(arm: Arm, settings: SearchSettings): Promise<number> {
  const probe = async (rate: number, seconds: number) => {
    const window = await runWindow(arm, { rate, seconds })
    settings.log(`${arm.name}: ${describeWindow(window)}`)
    return window.shortfalls.length === 0
  }
  let low = settings.rateStart
  while (low > RATE_MIN && !(await probe(low, settings.probeSeconds))) low = Math.round(low / 2)
  let high = Math.round(low * STEP_UP)
  while (await probe(high, settings.probeSeconds)) {
    low = high
    high = Math.round(low * STEP_UP)
  }
  while (high - low > PRECISION * low) {
    const middle = Math.round((low + high) / 2)
    if (await probe(middle, settings.probeSeconds)) low = middle
    else high = middle
  }
  for (let attempt = 0; attempt < CONFIRM_ATTEMPTS_MAX; attempt++) {
    if (await probe(low, settings.seconds)) return low
    low = Math.round(low * CONFIRM_STEP_DOWN)
  }
  return low
}

/** `2,000/s for …: completed 1,990/s, backlog 12, drained in 0.3 s, P50 3.1 ms, P99 20.4 ms — sustained`. */
export function describeWindow(window: Window): string {
  const verdict = window.shortfalls.length === 0 ? 'sustained' : `not sustained: ${window.shortfalls.join(', ')}`
  return [
    `asked ${window.rate}/s`,
    `accepted ${Math.round(window.acceptedPerSecond)}/s`,
    `completed ${Math.round(window.completedPerSecond)}/s`,
    `backlog ${window.backlog} gone in ${(window.drainMs / 1_000).toFixed(1)} s`,
    `P50 ${window.p50Ms} ms`,
    `P99 ${window.p99Ms} ms`,
    verdict,
  ].join('  ')
}

/** Parts of a rate at which an arm is warmed up, and for how long: what compiles and plans does so before it counts. */
const WARM_UP_STEPS: readonly { readonly part: number; readonly seconds: number }[] = [
  { part: 0.2, seconds: 3 },
  { part: 0.5, seconds: 5 },
]

/** Load that is not measured. */
export async function warmUp(arm: Arm, rate: number): Promise<void> {
  for (const { part, seconds } of WARM_UP_STEPS)
    await runWindow(arm, { rate: Math.max(1, Math.round(rate * part)), seconds })
}
