import { IdentifierNumbers } from '../identifier-numbers.ts'
import type { LimiterRules, RateLimiter, Usage, WindowType } from '../limiter.ts'
import {
  type Bucket,
  bucketOf,
  bucketPasses,
  bucketUsage,
  fixedPasses,
  fixedUsage,
  previousShare,
  slidingPasses,
  slidingUsage,
} from '../usage.ts'
import { type Period, type WindowSpan, windowAt, windowBefore, windowFrom } from '../windows.ts'

/**
 * Counts in this process. Nothing in it waits, so that looking and counting cannot be interrupted. Counts end with
 * their window, all at once: nothing expires one by one.
 */
export function localLimiter({ limits, windowType }: LimiterRules, counts: LocalCounts): RateLimiter {
  const counted = limits.map(({ period, count }) => counts.limit(windowType, period, count))
  return {
    take(identifier, nowMs) {
      let passes = true
      for (const limit of counted) if (!limit.passes(identifier, nowMs)) passes = false
      if (passes) for (const limit of counted) limit.count(identifier, nowMs)
      return { passes, usages: counted.map((limit) => limit.usage(identifier, nowMs)) }
    },
  }
}

/** One limit over the counts it shares with the limits before and after it. Times never go back between two calls. */
type CountedLimit = {
  passes(identifier: string, nowMs: number): boolean
  count(identifier: string, nowMs: number): void
  usage(identifier: string, nowMs: number): Usage
}

/** What has been counted. Outlives a change of the limits: raising one in mid-window does not give it away again. */
export class LocalCounts {
  readonly #windows = new Map<string, CountedWindows>()

  limit(windowType: WindowType, period: Period, limit: number): CountedLimit {
    const name = `${windowType} ${period}`
    const windows = this.#windows.get(name) ?? new CountedWindows(period)
    this.#windows.set(name, windows)
    return LIMITS[windowType](limit, windows)
  }
}

const NEVER: WindowSpan = { startsAtMs: 0, endsAtMs: 0 }

/** Numbers of the current window of a period and of the one before it. */
export class CountedWindows {
  span: WindowSpan = NEVER
  current: IdentifierNumbers
  previous: IdentifierNumbers
  readonly period: Period

  constructor(period: Period, identifiersMax?: number) {
    this.period = period
    this.current = new IdentifierNumbers(identifiersMax)
    this.previous = new IdentifierNumbers(identifiersMax)
  }

  /** Enters the window of `nowMs`, if it is another one. */
  enter(nowMs: number): void {
    const last = this.span
    if (nowMs >= last.startsAtMs && nowMs < last.endsAtMs) return
    this.span = windowFrom(last, this.period, nowMs)
    if (this.span === last) return
    const follows = windowBefore(this.period, this.span.startsAtMs).startsAtMs === last.startsAtMs
    const ended = this.current
    this.current = this.previous
    this.current.clear()
    this.previous = ended
    if (!follows) this.previous.clear()
  }
}

const LIMITS: Readonly<Record<WindowType, (limit: number, windows: CountedWindows) => CountedLimit>> = {
  fixed: fixedLimit,
  sliding: slidingLimit,
  'token-bucket': bucketLimit,
}

function fixedLimit(limit: number, windows: CountedWindows): CountedLimit {
  return {
    passes(identifier, nowMs) {
      windows.enter(nowMs)
      return fixedPasses(limit, windows.current.get(identifier))
    },
    count: (identifier) => windows.current.set(identifier, windows.current.get(identifier) + 1),
    usage: (identifier, nowMs) =>
      fixedUsage(limit, windows.current.get(identifier), Math.max(0, windows.span.endsAtMs - nowMs)),
  }
}

function slidingLimit(limit: number, windows: CountedWindows): CountedLimit {
  const countsOf = (identifier: string) => ({
    current: windows.current.get(identifier),
    previous: windows.previous.get(identifier),
  })
  return {
    passes(identifier, nowMs) {
      windows.enter(nowMs)
      return slidingPasses(limit, countsOf(identifier), previousShare(windows.span, nowMs))
    },
    count: (identifier) => windows.current.set(identifier, windows.current.get(identifier) + 1),
    usage: (identifier, nowMs) => slidingUsage(limit, { ...countsOf(identifier), span: windows.span, nowMs }),
  }
}

/**
 * The numbers are moments, in microseconds, at which buckets are full again. A bucket that has not been used for a
 * whole window is full, and is forgotten with it.
 */
function bucketLimit(limit: number, windows: CountedWindows): CountedLimit {
  const bucketAt = (nowMs: number): Bucket => {
    const { startsAtMs, endsAtMs } = windowAt(windows.period, nowMs)
    return bucketOf(limit, endsAtMs - startsAtMs)
  }
  const untilFullUs = (identifier: string, nowMs: number) => {
    const fullAtUs = Math.max(windows.current.get(identifier), windows.previous.get(identifier))
    return Math.max(0, fullAtUs - nowMs * 1_000)
  }
  return {
    passes(identifier, nowMs) {
      windows.enter(nowMs)
      return bucketPasses(bucketAt(nowMs), untilFullUs(identifier, nowMs))
    },
    count(identifier, nowMs) {
      const fullAtUs = nowMs * 1_000 + untilFullUs(identifier, nowMs) + bucketAt(nowMs).tokenUs
      windows.current.set(identifier, fullAtUs)
    },
    usage: (identifier, nowMs) => bucketUsage(bucketAt(nowMs), untilFullUs(identifier, nowMs)),
  }
}
