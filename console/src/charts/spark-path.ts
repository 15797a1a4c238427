import type { TimeRange } from '../store/figures.ts'
import type { SeriesStore } from '../store/series.ts'

/** Points of a sparkline: more would not be seen at its size. */
const POINTS = 60

/** The highest value of each sixtieth of the range as a path in 100 × 24; a part without a sample is a gap. */
export function sparkPath(series: SeriesStore, name: string, range: TimeRange): string {
  const tops = highestByPart(series, name, range)
  const top = Math.max(...tops.map((value) => value ?? 0))
  if (top === 0 && tops.every((value) => value === undefined)) return ''
  let path = ''
  let isDrawing = false
  tops.forEach((value, index) => {
    if (value === undefined) {
      isDrawing = false
      return
    }
    const x = ((index + 0.5) / POINTS) * 100
    const y = 22 - (top === 0 ? 0 : (value / top) * 20)
    path += `${isDrawing ? 'L' : 'M'}${x.toFixed(1)} ${y.toFixed(1)}`
    isDrawing = true
  })
  return path
}

function highestByPart(series: SeriesStore, name: string, { fromMs, toMs }: TimeRange): (number | undefined)[] {
  const tops = new Array<number | undefined>(POINTS).fill(undefined)
  const column = series.column(name)
  const to = series.indexAfter(toMs)
  for (let index = series.indexAfter(fromMs); index < to; index++) {
    const value = column[index] ?? Number.NaN
    const part = Math.min(POINTS - 1, Math.floor((((series.times[index] ?? 0) - fromMs) / (toMs - fromMs)) * POINTS))
    if (!Number.isNaN(value)) tops[part] = Math.max(tops[part] ?? 0, value)
  }
  return tops
}
