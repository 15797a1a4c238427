import { SERIES_MAX } from '../limits.ts'

/** What a metric is, declared once: Prometheus, the documentation and the code that records read it from here. */
export type MetricSpec = {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  /** One sentence without its full stop. */
  readonly help: string
  readonly labels: readonly string[]
  /** Of a histogram: upper bounds of its buckets, ascending, in the unit of the metric. */
  readonly bounds?: readonly number[]
  /** Of a histogram: how many of the recorded units make one of the metric's. 1,000 for milliseconds to seconds. */
  readonly scale?: number
}

/** The value of every label of the series that the ones beyond the limit share. */
export const OVERFLOW = '__overflow__'

/** Series by the values of their labels: a map for each label in turn. */
type Branch<Series> = Map<string | number, Branch<Series> | Series>

/**
 * All series of one metric, at most SERIES_MAX: what goes beyond shares one series, whose labels say so. A series that
 * has been asked for before is found by a lookup for each of its labels; who can keep it saves that.
 */
export class Family<Series> {
  readonly spec: MetricSpec
  readonly #series = new Map<string, Series>()
  readonly #create: (labels: string) => Series
  readonly #found: Branch<Series> = new Map()
  #foundCount = 0
  #overflow: Series | undefined

  constructor(spec: MetricSpec, create: (labels: string) => Series) {
    this.spec = spec
    this.#create = create
  }

  /** The series of these values, in the order of the labels. */
  series(...values: readonly (string | number)[]): Series {
    let branch: Branch<Series> | undefined = this.#found
    for (let index = 0; index < values.length - 1 && branch !== undefined; index++) {
      branch = branch.get(values[index] ?? '') as Branch<Series> | undefined
    }
    const found = branch?.get(values.at(-1) ?? '') as Series | undefined
    return found ?? this.#remembered(values)
  }

  /** Forgets all series, for gauges that are set anew each time. */
  clear(): void {
    this.#series.clear()
    this.#found.clear()
    this.#foundCount = 0
    this.#overflow = undefined
  }

  /** Texts and numbers that read the same are one series, and are remembered apart; so is what has overflowed. */
  #remembered(values: readonly (string | number)[]): Series {
    const series = this.#seriesOf(values)
    if (this.#foundCount >= 2 * SERIES_MAX) return series
    this.#foundCount += 1
    let branch = this.#found
    for (const value of values.slice(0, -1)) {
      const next = (branch.get(value) ?? new Map()) as Branch<Series>
      branch.set(value, next)
      branch = next
    }
    branch.set(values.at(-1) ?? '', series)
    return series
  }

  #seriesOf(values: readonly (string | number)[]): Series {
    const labels = labelsOf(this.spec.labels, values)
    const known = this.#series.get(labels)
    if (known !== undefined) return known
    if (this.#series.size >= SERIES_MAX) return this.#overflowSeries()
    const created = this.#create(labels)
    this.#series.set(labels, created)
    return created
  }

  *all(): Iterable<Series> {
    yield* this.#series.values()
    if (this.#overflow !== undefined) yield this.#overflow
  }

  /** Whether there was more to tell apart than the limit allows. */
  get isOverflowing(): boolean {
    return this.#overflow !== undefined
  }

  #overflowSeries(): Series {
    const values = this.spec.labels.map(() => OVERFLOW)
    this.#overflow ??= this.#create(labelsOf(this.spec.labels, values))
    return this.#overflow
  }
}

/** A series of one number: of a counter, which only grows, or a gauge. */
export class ValueSeries {
  readonly labels: string
  value = 0

  constructor(labels: string) {
    this.labels = labels
  }

  add(amount = 1): void {
    this.value += amount
  }

  set(value: number): void {
    this.value = value
  }
}

/** A series of a histogram with fixed buckets, as Prometheus counts them. */
export class HistogramSeries {
  readonly labels: string
  /** By bucket, not cumulative; the last one is for values over every bound. */
  readonly counts: Float64Array
  readonly #bounds: readonly number[]
  /** In recorded units. */
  sum = 0

  /** `bounds` in recorded units, ascending. */
  constructor(labels: string, bounds: readonly number[]) {
    this.labels = labels
    this.#bounds = bounds
    this.counts = new Float64Array(bounds.length + 1)
  }

  record(value: number): void {
    const bounds = this.#bounds
    let index = 0
    // Most values are in the first few buckets, where a search by halves is no faster.
    while (index < bounds.length && value > (bounds[index] ?? 0)) index += 1
    this.counts[index] = (this.counts[index] ?? 0) + 1
    this.sum += value
  }
}

/** `service_name="order-service",http_route="/orders"`; empty without labels. */
function labelsOf(names: readonly string[], values: readonly (string | number)[]): string {
  return names.map((name, index) => `${name}="${escaped(String(values[index] ?? ''))}"`).join(',')
}

function escaped(value: string): string {
  return value.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
}
