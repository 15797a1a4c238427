import { type EncodedHistogram, type HistogramTotals, readHistogram, writeHistogram } from './histogram-encoding.ts'

/**
 * A histogram with log-linear buckets: every power of two is split into 128 equal buckets, so that a quantile is off
 * by at most 0.4 % of its value, whatever the range. Recording costs a few arithmetic operations and never allocates;
 * histograms merge by adding their counts, which averages of quantiles never allow.
 * Source: G. Tene, HdrHistogram, http://hdrhistogram.org.
 */
const SUB_BUCKET_BITS = 7
const SUB_BUCKETS = 1 << SUB_BUCKET_BITS
/** Largest value that is told apart from larger ones: 2³² − 1, which is 71 minutes in microseconds. */
const VALUE_MAX = 0xffff_ffff
const BUCKETS = (32 - SUB_BUCKET_BITS + 1) * SUB_BUCKETS

/** What a histogram comes down to for people: everything in the unit of the recorded values. */
export type HistogramSummary = {
  readonly count: number
  readonly mean: number
  readonly min: number
  readonly p50: number
  readonly p90: number
  readonly p95: number
  readonly p99: number
  readonly p999: number
  readonly max: number
}

/** Counts non-negative values of one unit, e.g. microseconds. */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS)
  #count = 0
  #sum = 0
  #min = Number.POSITIVE_INFINITY
  #max = 0

  /**
   * Fractions are cut off, negative values count as 0. Values over 2³² − 1 share the last bucket; `max` stays exact.
   */
  record(value: number): void {
    const counted = Math.max(0, value)
    const index = bucketIndex(counted)
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#count += 1
    this.#sum += counted
    if (counted < this.#min) this.#min = counted
    if (counted > this.#max) this.#max = counted
  }

  /** Adds everything that `other` has recorded. */
  merge(other: Histogram): void {
    if (other.#count === 0) return
    const theirs = other.#counts
    const last = bucketIndex(other.#max)
    for (let index = bucketIndex(other.#min); index <= last; index++) {
      this.#counts[index] = (this.#counts[index] ?? 0) + (theirs[index] ?? 0)
    }
    this.#add({ count: other.#count, sum: other.#sum, min: other.#min, max: other.#max })
  }

  /** Adds everything that an encoded histogram holds. Throws on bytes that are none. */
  add(encoded: EncodedHistogram): void {
    const totals = readHistogram(encoded, BUCKETS, (index, counted) => {
      this.#counts[index] = (this.#counts[index] ?? 0) + counted
    })
    if (totals.count > 0) this.#add(totals)
  }

  /** All of it in a few hundred bytes: to send, or to keep. */
  encode(): EncodedHistogram {
    if (this.#count === 0) return EMPTY
    const range = { first: bucketIndex(this.#min), last: bucketIndex(this.#max) }
    return writeHistogram(this.#counts, range, { sum: this.#sum, min: this.#min, max: this.#max })
  }

  /** Encodes and starts afresh; undefined when nothing is recorded. */
  take(): EncodedHistogram | undefined {
    if (this.#count === 0) return undefined
    const encoded = this.encode()
    this.reset()
    return encoded
  }

  reset(): void {
    if (this.#count === 0) return
    this.#counts.fill(0, bucketIndex(this.#min), bucketIndex(this.#max) + 1)
    this.#count = 0
    this.#sum = 0
    this.#min = Number.POSITIVE_INFINITY
    this.#max = 0
  }

  get count(): number {
    return this.#count
  }

  /** Smallest value, exact; 0 when nothing is recorded. */
  get min(): number {
    return this.#count === 0 ? 0 : this.#min
  }

  /** Largest value, exact; 0 when nothing is recorded. */
  get max(): number {
    return this.#max
  }

  get sum(): number {
    return this.#sum
  }

  get mean(): number {
    return this.#count === 0 ? 0 : this.#sum / this.#count
  }

  /** The value that a fraction of 0..1 of all values does not exceed (nearest rank), within 0.4 %; 0 when empty. */
  quantile(fraction: number): number {
    if (!(fraction >= 0 && fraction <= 1)) throw new Error(`quantile ${fraction} is not between 0 and 1`)
    if (this.#count === 0) return 0
    const rank = Math.max(1, Math.ceil(fraction * this.#count))
    if (rank === this.#count) return this.#max
    let seen = 0
    for (let index = bucketIndex(this.#min); index < BUCKETS; index++) {
      seen += this.#counts[index] ?? 0
      if (seen >= rank) return Math.min(this.#max, Math.max(this.#min, bucketMiddle(index)))
    }
    return this.#max
  }

  summary(): HistogramSummary {
    return {
      count: this.#count,
      mean: this.mean,
      min: this.min,
      p50: this.quantile(0.5),
      p90: this.quantile(0.9),
      p95: this.quantile(0.95),
      p99: this.quantile(0.99),
      p999: this.quantile(0.999),
      max: this.max,
    }
  }

  /** How many of the values are over `value`, within the width of its bucket: 0.8 % of it. */
  countOver(value: number): number {
    if (this.#count === 0 || value >= this.#max) return 0
    const own = bucketIndex(Math.max(0, value))
    let over = 0
    for (let index = bucketIndex(this.#max); index > own; index--) {
      over += this.#counts[index] ?? 0
    }
    return over
  }

  #add({ count, sum, min, max }: HistogramTotals & { readonly count: number }): void {
    this.#count += count
    this.#sum += sum
    if (min < this.#min) this.#min = min
    if (max > this.#max) this.#max = max
  }
}

/** Whether bytes from elsewhere are an encoded histogram that can be added. */
export function isEncodedHistogram(bytes: Uint8Array): bytes is EncodedHistogram {
  try {
    readHistogram(bytes, BUCKETS, () => {})
    return true
  } catch {
    // Whatever is wrong with it: it is none.
    return false
  }
}

/** What nothing recorded is encoded as. */
const EMPTY: EncodedHistogram = new Uint8Array(0)

/** Values under 128 have a bucket each; above, bits 31..0 give `exponent · 128 + the 7 bits after the leading one`. */
function bucketIndex(value: number): number {
  const whole = value > VALUE_MAX ? VALUE_MAX : Math.floor(value)
  if (whole < SUB_BUCKETS) return whole
  const shift = 31 - Math.clz32(whole) - SUB_BUCKET_BITS
  return (shift + 1) * SUB_BUCKETS + (whole >>> shift) - SUB_BUCKETS
}

function bucketMiddle(index: number): number {
  if (index < SUB_BUCKETS) return index
  const shift = Math.floor(index / SUB_BUCKETS) - 1
  const low = (SUB_BUCKETS + (index % SUB_BUCKETS)) * 2 ** shift
  return low + (2 ** shift - 1) / 2
}
