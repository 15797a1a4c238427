import { BUCKETS, bucketBounds, Histogram } from '../histogram.ts'
import type { EncodedHistogram } from '../histogram-encoding.ts'
import { BLOCK_MS, MINUTE_BLOCKS, RECENT_BLOCKS_MAX, USUAL_HALF_LIFE_MS, USUAL_REQUESTS_MIN } from './limits.ts'
import { Dispersion, type Tail } from './tail.ts'

/** Requests of five seconds: the buckets that counted something, and how many. */
export type Block = {
  readonly buckets: Uint16Array
  readonly counts: Uint32Array
  readonly count: number
}

/** Of what is a P99: the share above it. */
export const SHARE_ABOVE = 0.01

/** With its requests above the threshold of its history. */
type CountedBlock = Block & Tail

const DECAY_PER_BLOCK = 2 ** (-BLOCK_MS / USUAL_HALF_LIFE_MS)

/** Blocks between two choices of the threshold that is counted along. */
const RECOUNT_BLOCKS = MINUTE_BLOCKS

/** Above this the counts of the past are scaled down, long before a double loses a request. */
const WEIGHT_MAX = 2 ** 20

/**
 * Latencies of one route or journey: the last five minutes block by block, and what was before in one histogram whose
 * counts fade with a half-life of ten minutes. That is all the rule needs, in some 50 kB.
 *
 * Requests above a threshold, the P99 of at most a minute ago, are counted along, so that the question whether there
 * may be a rise at all costs a few additions.
 */
export class LatencyHistory {
  /** Newest first, at most RECENT_BLOCKS_MAX. */
  #blocks: CountedBlock[] = []
  /** Of the block that is not yet ended. */
  #open: EncodedHistogram[] = []
  /** Instead of fading the old counts, new ones get a larger weight. Both totals are weighted, too. */
  readonly #past = new Float64Array(BUCKETS)
  #weight = 1
  #pastTail = { count: 0, above: 0 }
  #threshold = 0
  #untilRecount: number
  #minute = { blocks: 0, count: 0, above: 0 }
  /** How much the tail varied, between blocks and between minutes, since the past began. */
  readonly variation = { block: new Dispersion(), minute: new Dispersion() }

  /** `order` is any number; those of different histories spread what they do once a minute over the minute. */
  constructor(order: number) {
    this.#untilRecount = order % RECOUNT_BLOCKS
  }

  get blocks(): readonly CountedBlock[] {
    return this.#blocks
  }

  /** What is older than the blocks: how many requests, and how many above the threshold. */
  get pastTail(): Tail {
    return { count: this.#pastTail.count / this.#weight, above: this.#pastTail.above / this.#weight }
  }

  record(latency: EncodedHistogram): void {
    this.#open.push(latency)
  }

  /** Ends the block. The one that leaves the recent ones joins the past, or is forgotten. */
  seal(leaving: 'joins the past' | 'is forgotten'): void {
    const block = blockOf(this.#open)
    this.#open = []
    this.#blocks.unshift({ ...block, above: countAbove(block, this.#threshold) })
    const oldest = this.#blocks.length > RECENT_BLOCKS_MAX ? this.#blocks.pop() : undefined
    if (oldest !== undefined && leaving === 'joins the past') this.#join(oldest)
    this.#untilRecount -= 1
    if (this.#untilRecount < 0) this.#recount()
  }

  /** Moves all but the newest `kept` blocks to the past, as when it is known that an incident began there. */
  cut(kept: number): void {
    const older = this.#blocks.splice(kept)
    for (const block of older.reverse()) this.#join(block)
  }

  /** Drops all but the newest `kept` blocks: those of an incident say nothing about what is usual. */
  drop(kept: number): void {
    this.#blocks.length = Math.min(this.#blocks.length, kept)
  }

  /** Takes the last five minutes for all there was. */
  startAfresh(): void {
    this.#past.fill(0)
    this.#pastTail = { count: 0, above: 0 }
    this.variation.block.decay(0)
    this.variation.minute.decay(0)
    this.#recount()
    this.cut(MINUTE_BLOCKS)
  }

  /** Copies the counts of the past. */
  readPast(into: Float64Array): void {
    for (let bucket = 0; bucket < BUCKETS; bucket++) into[bucket] = (this.#past[bucket] ?? 0) / this.#weight
  }

  /** Of the newest blocks. 0 without a request. */
  p99Of(blockCount: number): { readonly p99: number; readonly count: number } {
    const blocks = this.#blocks.slice(0, blockCount)
    sums.fill(0)
    for (const block of blocks) addTo(sums, block)
    const { count } = sumOf(blocks)
    return { p99: count === 0 ? 0 : p99Of(sums, count), count }
  }

  #join(block: CountedBlock): void {
    this.#judge(block)
    this.#weight /= DECAY_PER_BLOCK
    addTo(this.#past, block, this.#weight)
    this.#pastTail.count += this.#weight * block.count
    this.#pastTail.above += this.#weight * block.above
    if (this.#weight > WEIGHT_MAX) this.#rescale()
  }

  #rescale(): void {
    this.readPast(this.#past)
    this.#pastTail = { ...this.pastTail }
    this.#weight = 1
  }

  /** A block is compared with the past before it is part of it. */
  #judge(block: CountedBlock): void {
    const { variation } = this
    variation.block.decay(DECAY_PER_BLOCK)
    variation.minute.decay(DECAY_PER_BLOCK)
    const { count, above } = this.pastTail
    if (count < USUAL_REQUESTS_MIN) return
    variation.block.add(block, above / count)
    const minute = this.#minute
    this.#minute = { blocks: minute.blocks + 1, ...sumOf([minute, block]) }
    if (this.#minute.blocks < MINUTE_BLOCKS) return
    variation.minute.add(this.#minute, above / count)
    this.#minute = { blocks: 0, count: 0, above: 0 }
  }

  /** Chooses the threshold anew: the P99 of all that is known. */
  #recount(): void {
    this.#untilRecount = RECOUNT_BLOCKS
    this.readPast(sums)
    for (const block of this.#blocks) addTo(sums, block)
    this.#threshold = thresholdOf(sums, this.pastTail.count + sumOf(this.#blocks).count).bucket
    this.#blocks = this.#blocks.map((block) => ({ ...block, above: countAbove(block, this.#threshold) }))
    this.#pastTail.above = tailAbove(this.#past, this.#pastTail.count, this.#threshold).above
    // Counted above another threshold: the minute cannot go on.
    this.#minute = { blocks: 0, count: 0, above: 0 }
  }
}

/** All of this is synchronous: one histogram to add in serves every history, and so do these arrays. */
const scratch = new Histogram()
const found = { buckets: new Uint16Array(BUCKETS), counts: new Uint32Array(BUCKETS) }
const sums = new Float64Array(BUCKETS)

function blockOf(latencies: readonly EncodedHistogram[]): Block {
  scratch.reset()
  for (const latency of latencies) scratch.add(latency)
  let length = 0
  scratch.forEachBucket((bucket, count) => {
    found.buckets[length] = bucket
    found.counts[length] = count
    length += 1
  })
  return { buckets: found.buckets.slice(0, length), counts: found.counts.slice(0, length), count: scratch.count }
}

/** Adds a block's counts, times `weight`, to those of a histogram laid out flat. */
export function addTo(counts: Float64Array, block: Block, weight = 1): void {
  for (let index = 0; index < block.buckets.length; index++) {
    const bucket = block.buckets[index] ?? 0
    counts[bucket] = (counts[bucket] ?? 0) + weight * (block.counts[index] ?? 0)
  }
}

/** Requests of a block in buckets above `bucket`. */
export function countAbove(block: Block, bucket: number): number {
  let above = 0
  for (let index = block.buckets.length - 1; index >= 0 && (block.buckets[index] ?? 0) > bucket; index--) {
    above += block.counts[index] ?? 0
  }
  return above
}

/** The bucket that the P99 lies in, and how many requests are in buckets above it: at most one in a hundred. */
export function thresholdOf(counts: Float64Array, count: number): { readonly bucket: number; readonly above: number } {
  const aboveMax = count * SHARE_ABOVE
  let above = 0
  for (let bucket = BUCKETS - 1; bucket > 0; bucket--) {
    const here = counts[bucket] ?? 0
    if (above + here > aboveMax) return { bucket, above }
    above += here
  }
  return { bucket: 0, above }
}

/** The P99 in the unit of the histogram, its place within the bucket by proportion: steps of 0.8 % are too coarse. */
export function p99Of(counts: Float64Array, count: number): number {
  const { bucket, above } = thresholdOf(counts, count)
  const { low, width } = bucketBounds(bucket)
  const here = counts[bucket] ?? 0
  return low + width * (here === 0 ? 0 : 1 - (count * SHARE_ABOVE - above) / here)
}

export function tailAbove(counts: Float64Array, count: number, bucket: number): Tail {
  let above = 0
  for (let index = BUCKETS - 1; index > bucket; index--) above += counts[index] ?? 0
  return { count, above }
}

/** All tails together. */
export function sumOf(tails: readonly Tail[]): Tail {
  let [count, above] = [0, 0]
  for (const tail of tails) {
    count += tail.count
    above += tail.above
  }
  return { count, above }
}
