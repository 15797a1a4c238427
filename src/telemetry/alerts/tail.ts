/** What a comparison needs to know of one side: how many requests there were, and how many above a threshold. */
export type Tail = { readonly count: number; readonly above: number }

/**
 * By how many standard errors the share above the threshold is larger in `recent` than in `usual`; negative when it
 * is smaller. The signed root of the likelihood ratio, which, unlike a difference divided by its deviation, stays
 * true far out and for the few requests of a quiet route. When the threshold is the P99 of `usual`, this is the control
 * quantile test. Sources: H. C. Mathisen, Annals of Mathematical Statistics 14 (1943) 188–194; S. S. Wilks, ibid. 9
 * (1938) 60–62.
 */
export function tailEvidence(recent: Tail, usual: Tail): number {
  const pooled = { count: recent.count + usual.count, above: recent.above + usual.above }
  const ratio = 2 * (logLikelihood(recent) + logLikelihood(usual) - logLikelihood(pooled))
  const sign = recent.above * usual.count >= usual.above * recent.count ? 1 : -1
  return sign * Math.sqrt(Math.max(0, ratio))
}

/** Of the share that fits best. */
function logLikelihood({ count, above }: Tail): number {
  return timesLog(above, count) + timesLog(count - above, count)
}

function timesLog(part: number, whole: number): number {
  return part <= 0 ? 0 : part * Math.log(part / whole)
}

/**
 * How much more than by chance alone the requests above a threshold vary from one piece of time to the next: squared
 * deviations over what independent requests would have. 1 for independent ones; requests that wait behind the same
 * pause make it larger, and evidence has to be divided by its root. Older pieces count less and less.
 * Source: P. McCullagh, J. A. Nelder, Generalized Linear Models, 1989, 4.5.
 */
export class Dispersion {
  #squares = 0
  #expected = 0

  add(piece: Tail, shareAbove: number): void {
    const expected = piece.count * shareAbove
    this.#squares += (piece.above - expected) ** 2
    this.#expected += expected * (1 - shareAbove)
  }

  decay(factor: number): void {
    this.#squares *= factor
    this.#expected *= factor
  }

  /** Both together, and `assumed` for what neither has seen. At least 1. */
  with(other: Dispersion, assumed: { readonly above: number; readonly dispersion: number }): number {
    const squares = this.#squares + other.#squares + assumed.above * assumed.dispersion
    return Math.max(1, squares / (this.#expected + other.#expected + assumed.above))
  }
}
