import type { SeriesStore } from './series.ts'

/** A span of time, milliseconds since the Unix epoch: after `fromMs`, up to and with `toMs`. */
export type TimeRange = { readonly fromMs: number; readonly toMs: number }

/** Longest distance that one sample speaks for: that of the coarse history. */
const STEP_MAX_MS = 10_000

/** What is older than this, a few coarse samples, is no longer how things are. */
const RECENT_MS = 15_000

/** The last known value up to the range's end, not older than `withinMs`. */
export function lastValue(
  store: SeriesStore,
  name: string,
  { toMs, withinMs = RECENT_MS }: Pick<TimeRange, 'toMs'> & { readonly withinMs?: number },
): number | undefined {
  const column = store.column(name)
  for (let index = store.indexAfter(toMs) - 1; index >= 0; index--) {
    if ((store.times[index] ?? 0) < toMs - withinMs) return undefined
    const value = column[index] ?? Number.NaN
    if (!Number.isNaN(value)) return value
  }
  return undefined
}

/** Mean of a rate over the last ten seconds of the range: no traffic in a second is none, not unknown. */
export function recentRate(store: SeriesStore, name: string, range: TimeRange): number {
  const from = store.indexAfter(range.toMs - STEP_MAX_MS)
  const to = store.indexAfter(range.toMs)
  const column = store.column(name)
  let sum = 0
  for (let index = from; index < to; index++) sum += column[index] || 0
  return to > from ? sum / (to - from) : 0
}

/** How many there were in the range, from a column of counts per second. */
export function total(store: SeriesStore, name: string, range: TimeRange): number {
  return fold(columnIn(store, name, range), (sum, value, index) => sum + (value * stepMs(store, index)) / 1000)
}

export function highest(store: SeriesStore, name: string, range: TimeRange): number {
  return fold(columnIn(store, name, range), (result, value) => Math.max(result, value))
}

type Stretch = { readonly column: readonly number[]; readonly from: number; readonly to: number }

function columnIn(store: SeriesStore, name: string, { fromMs, toMs }: TimeRange): Stretch {
  return { column: store.column(name), from: store.indexAfter(fromMs), to: store.indexAfter(toMs) }
}

type Step = (result: number, value: number, index: number) => number

/** From nought over every known value. */
function fold({ column, from, to }: Stretch, step: Step): number {
  let result = 0
  for (let index = from; index < to; index++) {
    const value = column[index] ?? Number.NaN
    if (!Number.isNaN(value)) result = step(result, value, index)
  }
  return result
}

/** The time that a sample stands for. */
function stepMs(store: SeriesStore, index: number): number {
  const before = store.times[index - 1]
  return before === undefined ? 1000 : Math.min(STEP_MAX_MS, (store.times[index] ?? 0) - before)
}

/** Times and columns of a range for a chart: null where a value is unknown, and a null between samples with a gap. */
export type ChartData = readonly [times: readonly number[], ...columns: readonly (readonly (number | null)[])[]]

export function chartData(store: SeriesStore, names: readonly string[], range: TimeRange): ChartData {
  // One sample more on either side, so that lines run to the edge.
  const from = Math.max(0, store.indexAfter(range.fromMs) - 1)
  const to = Math.min(store.times.length, store.indexAfter(range.toMs) + 1)
  const columns = names.map((name) => store.column(name))
  const times: number[] = []
  const values: (number | null)[][] = names.map(() => [])
  for (let index = from; index < to; index++) {
    if (index > from && isGap(store.times, index)) {
      times.push((store.times[index - 1] ?? 0) + 1)
      for (const column of values) column.push(null)
    }
    times.push(store.times[index] ?? 0)
    columns.forEach((column, which) => {
      const value = column[index] ?? Number.NaN
      values[which]?.push(Number.isNaN(value) ? null : value)
    })
  }
  return [times, ...values]
}

/** Whether samples are missing before this one: the pause is far longer than those beside it. */
export function isGap(times: readonly number[], index: number): boolean {
  const distance = (at: number) => (times[at] ?? Number.NaN) - (times[at - 1] ?? Number.NaN)
  const beside = Math.max(distance(index - 1) || 0, distance(index + 1) || 0, 1000)
  return distance(index) > 2.5 * Math.min(beside, STEP_MAX_MS)
}
