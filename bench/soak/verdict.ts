import { spreadOf } from '../command/spread.ts'
import type { Sample } from './sample.ts'

/** What may not grow, and by how much it may seem to between the warm-up and the end. */
type Measure = {
  readonly name: string
  readonly read: (sample: Sample) => number
  /** Of its median. */
  readonly shareMax: number
  /** In its own unit: what is small may double without meaning anything. */
  readonly growthMax: number
}

export const MEASURES: readonly Measure[] = [
  { name: 'P99 of acceptance, ms', read: (sample) => sample.acceptP99Ms, shareMax: 0.25, growthMax: 10 },
  { name: 'P99 from placed to shipped, ms', read: (sample) => sample.endToEndP99Ms, shareMax: 0.25, growthMax: 100 },
  { name: 'oldest event behind, s', read: (sample) => sample.oldestBehindSeconds, shareMax: 0.25, growthMax: 1 },
  // Dropped by periods, a seventh of the retention each: its size is a saw.
  { name: 'event tables, MiB', read: (sample) => sample.eventsMiB, shareMax: 0.2, growthMax: 16 },
  { name: 'bytes an order', read: (sample) => sample.bytesPerOrder, shareMax: 0.1, growthMax: 50 },
  // Autovacuum begins when a fifth of a table is dead: a saw as well.
  { name: 'dead tuples', read: (sample) => sample.deadTuples, shareMax: 0.5, growthMax: 50_000 },
  { name: 'memory of node, MiB', read: (sample) => sample.nodeMiB, shareMax: 0.1, growthMax: 32 },
  { name: 'memory of PostgreSQL, MiB', read: (sample) => sample.postgresMiB, shareMax: 0.1, growthMax: 64 },
]

export type Growth = {
  readonly measure: string
  readonly median: number
  readonly perHour: number
  /** Over the time that was judged. */
  readonly growth: number
  readonly isFlat: boolean
}

/** Fewer points have no slope worth the name. */
export const SAMPLES_MIN = 4

/** Judges the samples after the warm-up; nothing when there are too few of them. */
export function growthOf(samples: readonly Sample[], warmUpSeconds: number): readonly Growth[] {
  const judged = samples.filter(({ atSeconds }) => atSeconds >= warmUpSeconds)
  if (judged.length < SAMPLES_MIN) return []
  const seconds = (judged.at(-1)?.atSeconds ?? 0) - (judged[0]?.atSeconds ?? 0)
  return MEASURES.map(({ name, read, shareMax, growthMax }) => {
    const points = judged.map((sample) => [sample.atSeconds, read(sample)] as const)
    const { median } = spreadOf(points.map(([, value]) => value))
    const slope = slopeOf(points)
    const growth = slope * seconds
    const isFlat = growth <= Math.max(growthMax, shareMax * median)
    return { measure: name, median, perHour: slope * 3_600, growth, isFlat }
  })
}

/**
 * The median of the slopes of all pairs: a few outliers, such as a checkpoint, do not turn it.
 * Source: Theil 1950, Sen 1968.
 */
function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes = points.flatMap(([x, y], index) => points.slice(index + 1).map(([x2, y2]) => (y2 - y) / (x2 - x)))
  return spreadOf(slopes).median
}
