import type { Line } from '../charts/plot-options.ts'
import { lastValue, recentRate, type TimeRange, total } from '../store/figures.ts'
import { type SeriesStore, seriesName } from '../store/series.ts'
import type { Subject } from './scope.ts'

export const EVERYTHING: Subject = { kind: 'all', id: '' }

/** Columns of a table about traffic, over the time on screen. */
export type Traffic = {
  readonly perSecond: number
  readonly p50Ms: number | undefined
  readonly p95Ms: number | undefined
  readonly p99Ms: number | undefined
  /** Answers of 400 to 499, and of 500 and more. */
  readonly refused: number
  readonly failed: number
}

/** The id under which telemetry counts those beyond what it tells apart. */
export const OTHERS = '__overflow__'

/** A percentile of up to this long ago still says how a route is: seldom used ones would else be blank. */
const PERCENTILE_AGE_MS = 60_000

export function trafficOf(series: SeriesStore, subject: Subject, range: TimeRange): Traffic {
  const name = (figure: string) => seriesName(latencyName(subject), figure)
  const percentile = (figure: string) => lastValue(series, name(figure), { ...range, withinMs: PERCENTILE_AGE_MS })
  // Most of thousands of routes are idle: those cost one look.
  if (series.column(name('perSecond')).length === 0) return NONE
  return {
    perSecond: recentRate(series, name('perSecond'), range),
    p50Ms: percentile('p50Ms'),
    p95Ms: percentile('p95Ms'),
    p99Ms: percentile('p99Ms'),
    refused: total(series, name('refused'), range),
    failed: total(series, name('failed'), range),
  }
}

const NONE: Traffic = {
  perSecond: 0,
  p50Ms: undefined,
  p95Ms: undefined,
  p99Ms: undefined,
  refused: 0,
  failed: 0,
}

export function latencyName({ kind, id }: Subject): string {
  return kind === 'all' ? 'all' : seriesName('traffic', kind, id)
}

export type StatusCount = { readonly status: number; readonly requests: number; readonly perSecond: number }

/** Answers by status in the time on screen, most frequent first. */
export function statusCounts(series: SeriesStore, subject: Subject, range: TimeRange): readonly StatusCount[] {
  const prefix = seriesName('status', subject.kind, subject.id)
  return series
    .subjects(prefix)
    .map(([status = '']) => {
      const name = seriesName(prefix, status, 'perSecond')
      const requests = total(series, name, range)
      return { status: Number(status), requests, perSecond: recentRate(series, name, range) }
    })
    .filter(({ requests }) => requests > 0)
    .sort((one, other) => other.requests - one.requests)
}

/** As many as can be told apart. */
const LINES_MAX = 6

/** A line for each status, in shades of what it means: blue for answers, orange for refusals, red for failures. */
export function statusLines(subject: Subject, counts: readonly StatusCount[]): readonly Line[] {
  const used = new Map<number, number>()
  return counts
    .slice(0, LINES_MAX)
    .toSorted((one, other) => one.status - other.status)
    .map(({ status }): Line => {
      const group = Math.floor(status / 100)
      const nth = used.get(group) ?? 0
      used.set(group, nth + 1)
      const shades = SHADES[group] ?? REST
      return {
        name: seriesName('status', subject.kind, subject.id, status, 'perSecond'),
        label: String(status),
        color: shades[nth % shades.length] ?? 'muted',
        isFilled: group === 2 && nth === 0,
      }
    })
}

const REST = ['line-7', 'line-4']
const SHADES: Readonly<Record<number, readonly string[]>> = {
  2: ['line-1', 'line-3', 'line-7'],
  4: ['line-2', 'line-5', 'line-8', 'line-4'],
  5: ['red', 'line-6'],
}

/** Requests that a plugin refused in the time on screen, and of late. */
export function rejectionsOf(series: SeriesStore, plugin: string, range: TimeRange) {
  const name = seriesName('rejection', plugin, 'perSecond')
  return { name, refused: total(series, name, range), perSecond: recentRate(series, name, range) }
}
