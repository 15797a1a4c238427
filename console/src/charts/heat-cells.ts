import type { TimeRange } from '../store/figures.ts'
import type { SeriesStore } from '../store/series.ts'

/** Above this share of its processor an instance glows: the headroom for the next burst is gone. */
export const HOT_PERCENT = 80

/** Widths of a cell in time, ascending: round ones, so that cells keep their borders while time moves. */
const CELL_WIDTHS_MS = [1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000]

/** The narrowest round width that gives no more than `cellsMax` cells. */
export function cellWidth(range: TimeRange, cellsMax: number): number {
  const spanMs = range.toMs - range.fromMs
  return CELL_WIDTHS_MS.find((widthMs) => spanMs / widthMs <= cellsMax) ?? 600_000
}

export type Cell = { readonly fromMs: number; readonly value: number }

/** The highest value of each cell, since a mean would hide a short burst. Cells without a sample are left out. */
export function heatCells(
  store: SeriesStore,
  name: string,
  range: TimeRange,
  { widthMs }: { readonly widthMs: number },
) {
  const column = store.column(name)
  const cells: { fromMs: number; value: number }[] = []
  const to = store.indexAfter(range.toMs)
  for (let index = store.indexAfter(range.fromMs); index < to; index++) {
    const value = column[index] ?? Number.NaN
    if (Number.isNaN(value)) continue
    const fromMs = Math.floor(((store.times[index] ?? 0) - 1) / widthMs) * widthMs
    const last = cells.at(-1)
    if (last?.fromMs === fromMs) last.value = Math.max(last.value, value)
    else cells.push({ fromMs, value })
  }
  return cells as readonly Cell[]
}
