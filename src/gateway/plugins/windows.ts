import { hash } from 'node:crypto'
import { COUNTED_IDENTIFIERS_MAX, IDENTIFIER_CHARS_MAX } from '../limits.ts'

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

/** Stands for all identifiers beyond those that are counted apart. No identifier is empty. */
const ALL_OTHERS = ''

/**
 * Requests by identifier in the current window of one period. All windows of a period end at the same moment, and with
 * them every count: nothing expires one by one. When there are too many identifiers to count apart, the further ones
 * share one count: a limit may then come early for some, but it is never exceeded.
 */
export class WindowCounts {
  #span: WindowSpan = { startsAtMs: 0, endsAtMs: 0 }
  readonly #counts = new Map<string, number>()
  readonly #period: Period
  readonly #identifiersMax: number

  constructor(period: Period, identifiersMax: number = COUNTED_IDENTIFIERS_MAX) {
    this.#period = period
    this.#identifiersMax = identifiersMax
  }

  /** Enters the window of `nowMs`, if it is another one. A clock that goes back a little stays in the later window. */
  enter(nowMs: number): WindowSpan {
    const span = this.#span
    const goneBack = nowMs < span.startsAtMs && nowMs >= span.startsAtMs - (span.endsAtMs - span.startsAtMs)
    if (nowMs >= span.endsAtMs || (nowMs < span.startsAtMs && !goneBack)) {
      this.#span = windowAt(this.#period, nowMs)
      this.#counts.clear()
    }
    return this.#span
  }

  count(identifier: string): number {
    return this.#counts.get(this.#keyOf(identifier)) ?? 0
  }

  increment(identifier: string): void {
    const key = this.#keyOf(identifier)
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + 1)
  }

  #keyOf(identifier: string): string {
    if (this.#counts.size < this.#identifiersMax || this.#counts.has(identifier)) return identifier
    return ALL_OTHERS
  }
}

/** An identifier of bounded length. */
export function boundedIdentifier(identifier: string): string {
  if (identifier.length <= IDENTIFIER_CHARS_MAX) return identifier
  return hash('sha256', identifier, 'base64url')
}
