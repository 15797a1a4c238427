/** How values that were taken at equal distances move. */
export type Trend = {
  /** Median of the slopes of all pairs, per step. Half a window of outliers does not move it. */
  readonly slope: number
  /** −1 when every later value is smaller, 1 when every later one is larger. */
  readonly agreement: number
}

/** Sources: P. K. Sen, JASA 63 (1968) 1379–1389, for the slope; M. G. Kendall, Biometrika 30 (1938) 81–93. */
export function trendOf(values: readonly number[]): Trend {
  const slopes: number[] = []
  let agreement = 0
  for (let later = 1; later < values.length; later++) {
    for (let earlier = 0; earlier < later; earlier++) {
      const difference = (values[later] ?? 0) - (values[earlier] ?? 0)
      slopes.push(difference / (later - earlier))
      agreement += Math.sign(difference)
    }
  }
  if (slopes.length === 0) return { slope: 0, agreement: 0 }
  slopes.sort((a, b) => a - b)
  const middle = slopes.length / 2
  const slope = ((slopes[Math.floor(middle)] ?? 0) + (slopes[Math.ceil(middle) - 1] ?? 0)) / 2
  return { slope, agreement: agreement / slopes.length }
}
