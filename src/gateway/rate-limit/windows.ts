/** Windows of a rate limit: periods of the calendar in UTC, shortest first. */
export const PERIODS = ['second', 'minute', 'hour', 'day', 'month', 'year'] as const

export type Period = (typeof PERIODS)[number]

const FIXED_MS = { second: 1_000, minute: 60_000, hour: 3_600_000, day: 86_400_000 } as const

export type WindowSpan = { readonly startsAtMs: number; readonly endsAtMs: number }

/** The window of `period` that `nowMs` lies in. */
export function windowAt(period: Period, nowMs: number): WindowSpan {
  if (period === 'month' || period === 'year') return calendarWindow(period, new Date(nowMs))
  const lengthMs = FIXED_MS[period]
  const startsAtMs = nowMs - (nowMs % lengthMs)
  return { startsAtMs, endsAtMs: startsAtMs + lengthMs }
}

function calendarWindow(period: 'month' | 'year', now: Date): WindowSpan {
  const year = now.getUTCFullYear()
  const month = now.getUTCMonth()
  if (period === 'year') return { startsAtMs: Date.UTC(year, 0), endsAtMs: Date.UTC(year + 1, 0) }
  return { startsAtMs: Date.UTC(year, month), endsAtMs: Date.UTC(year, month + 1) }
}

/** The window of `period` before the one that begins at `startsAtMs`. */
export function windowBefore(period: Period, startsAtMs: number): WindowSpan {
  return windowAt(period, startsAtMs - 1)
}

/**
 * The window that `nowMs` lies in, given the one of the last request. A clock that goes back by less than a window
 * stays in the later one: a limit is not given away once more.
 */
export function windowFrom(last: WindowSpan, period: Period, nowMs: number): WindowSpan {
  if (nowMs >= last.startsAtMs && nowMs < last.endsAtMs) return last
  const hasGoneBack = nowMs < last.startsAtMs && nowMs >= last.startsAtMs - (last.endsAtMs - last.startsAtMs)
  return hasGoneBack ? last : windowAt(period, nowMs)
}
