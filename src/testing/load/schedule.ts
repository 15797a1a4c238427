import { randomSequence } from '../../core/index.ts'

/**
 * When requests are due. The schedule is made before anything is sent and never looks at answers: that is what makes
 * the load open. A closed loop waits for slow answers, sends less while the system is slow, and so hides what its
 * users feel ("coordinated omission").
 */
export type Arrivals =
  | { readonly kind: 'fixed'; readonly rate: number; readonly durationMs: number }
  | { readonly kind: 'poisson'; readonly rate: number; readonly durationMs: number; readonly seed: number }
  | { readonly kind: 'burst'; readonly count: number }

/** Times at which requests are due, in order. */
export type Schedule = {
  /** Time of the next request in milliseconds since the start, or Infinity when there is none left. */
  readonly nextAtMs: () => number
  /** Moves on to the request after. */
  readonly advance: () => void
}

/**
 * `fixed`: evenly spaced, `rate` per second. `poisson`: independent users, exponentially distributed gaps with a mean
 * of 1/rate, the same for the same seed. `burst`: everything at once.
 */
export function createSchedule(arrivals: Arrivals): Schedule {
  switch (arrivals.kind) {
    case 'fixed':
      return fixedSchedule(arrivals.rate, arrivals.durationMs)
    case 'poisson':
      return poissonSchedule(arrivals.rate, arrivals.durationMs, randomSequence(arrivals.seed))
    case 'burst':
      return burstSchedule(arrivals.count)
  }
}

function fixedSchedule(rate: number, durationMs: number): Schedule {
  const count = Math.round((rate * durationMs) / 1000)
  let index = 0
  return {
    // Computed from the index, since adding up gaps would drift.
    nextAtMs: () => (index < count ? (index * 1000) / rate : Number.POSITIVE_INFINITY),
    advance: () => {
      index += 1
    },
  }
}

function poissonSchedule(rate: number, durationMs: number, random: () => number): Schedule {
  const gapMs = () => (-Math.log(1 - random()) * 1000) / rate
  let atMs = gapMs()
  return {
    nextAtMs: () => (atMs < durationMs ? atMs : Number.POSITIVE_INFINITY),
    advance: () => {
      atMs += gapMs()
    },
  }
}

function burstSchedule(count: number): Schedule {
  let left = count
  return {
    nextAtMs: () => (left > 0 ? 0 : Number.POSITIVE_INFINITY),
    advance: () => {
      left -= 1
    },
  }
}
