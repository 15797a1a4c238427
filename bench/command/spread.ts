/** A median and how far the rounds lie apart. */
export type Spread = { readonly median: number; readonly min: number; readonly max: number }

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = (sorted.length - 1) / 2
  const median = ((sorted[Math.floor(middle)] ?? 0) + (sorted[Math.ceil(middle)] ?? 0)) / 2
  return { median, min: sorted[0] ?? 0, max: sorted.at(-1) ?? 0 }
}

/** The same with at most so many digits after the point. */
export function roundedSpread({ median, min, max }: Spread, digits: number): Spread {
  const round = (value: number) => Number(value.toFixed(digits))
  return { median: round(median), min: round(min), max: round(max) }
}
