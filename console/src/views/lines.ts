import type { Line } from '../charts/plot-options.ts'
import { seriesName } from '../store/series.ts'

/** The lines of a latency chart: the 95th percentile strong, the others faint beside it. */
export function latencyLines(...subject: readonly string[]): readonly Line[] {
  return [
    { name: seriesName(...subject, 'p50Ms'), label: 'P50', color: 'faint-low', width: 1 },
    { name: seriesName(...subject, 'p95Ms'), label: 'P95', color: 'accent', width: 1.75, isFilled: true },
    { name: seriesName(...subject, 'p99Ms'), label: 'P99', color: 'faint-high', width: 1 },
  ]
}
