import { BUCKETS } from '../histogram.ts'
import {
  addTo,
  type Block,
  countAbove,
  type LatencyHistory,
  p99Of,
  sumOf,
  tailAbove,
  thresholdOf,
} from './latency-history.ts'
import {
  DISPERSION_ASSUMED,
  MINUTE_BLOCKS,
  OUTLIER_BLOCKS,
  RECENT_BLOCKS_MAX,
  RECENT_REQUESTS_MIN,
  RISE_MIN,
  RISE_MS_MIN,
  RISE_TRIMMED_MIN,
  SIGNIFICANCE_MIN,
  USUAL_REQUESTS_MIN,
} from './limits.ts'
import { Dispersion, tailEvidence } from './tail.ts'

/** A P99 that is higher than it was. Latencies in the unit of the histograms. */
export type Rise = {
  readonly recent: number
  readonly usual: number
  readonly recentCount: number
  readonly usualCount: number
  /** Length of the window that shows it most clearly, in blocks: the rise began about then. */
  readonly blocks: number
  /** Standard errors. */
  readonly significance: number
}

/** Windows that are compared with what was before them, in blocks: 20 s to 5 minutes. The shorter, the sooner. */
const WINDOWS = [4, 8, 16, 32, RECENT_BLOCKS_MAX]

/** A window and all before it, laid out flat. They are cut from each other while the window grows. */
type Split = { readonly counts: Float64Array; count: number }

const MICROS_PER_MS = 1_000

/**
 * Compares the newest seconds with what was before them, through windows of several lengths, and returns the clearest
 * rise. A rise has all of these: the P99 is 20 % higher and 5 ms; so large a share of the window's requests exceeds the
 * earlier P99 that chance does not explain it, where chance includes how much the tail varied before; and both remain
 * when the window's worst seconds are left out. Keeps no state but its scratch space: one scan serves all subjects.
 */
export class RiseScan {
  readonly #recent: Split = { counts: new Float64Array(BUCKETS), count: 0 }
  readonly #before: Split = { counts: new Float64Array(BUCKETS), count: 0 }

  scan(history: LatencyHistory): Rise | undefined {
    if (!mayHaveRisen(history)) return undefined
    this.#startOver(history)
    let clearest: Rise | undefined
    history.blocks.forEach((block, index) => {
      this.#move(block)
      const length = index + 1
      const enoughBefore = history.pastTail.count > 0 || history.blocks.length - length >= MINUTE_BLOCKS
      if (!WINDOWS.includes(length) || !enoughBefore) return
      const rise = this.#compare(history, length)
      if (rise !== undefined && rise.significance > (clearest?.significance ?? 0)) clearest = rise
    })
    return clearest
  }

  #startOver(history: LatencyHistory): void {
    const { blocks, pastTail } = history
    this.#recent.counts.fill(0)
    this.#recent.count = 0
    history.readPast(this.#before.counts)
    this.#before.count = pastTail.count
    for (const block of blocks) {
      addTo(this.#before.counts, block)
      this.#before.count += block.count
    }
  }

  #move(block: Block): void {
    addTo(this.#before.counts, block, -1)
    this.#before.count -= block.count
    addTo(this.#recent.counts, block)
    this.#recent.count += block.count
  }

  #compare(history: LatencyHistory, length: number): Rise | undefined {
    const [recent, before] = [this.#recent, this.#before]
    if (recent.count < RECENT_REQUESTS_MIN || before.count < USUAL_REQUESTS_MIN) return undefined
    const { bucket, above } = thresholdOf(before.counts, before.count)
    const usualTail = { count: before.count, above }
    if (tailEvidence(tailAbove(recent.counts, recent.count, bucket), usualTail) < SIGNIFICANCE_MIN) return undefined
    const [p99, usual] = [p99Of(recent.counts, recent.count), p99Of(before.counts, before.count)]
    if (p99 < usual * RISE_MIN || p99 - usual < RISE_MS_MIN * MICROS_PER_MS) return undefined
    const trimmed = withoutOutliers(recent, history.blocks.slice(0, length), bucket)
    if (trimmed.count === 0 || p99Of(trimmed.counts, trimmed.count) < usual * RISE_TRIMMED_MIN) return undefined
    const evidence = tailEvidence(tailAbove(trimmed.counts, trimmed.count, bucket), usualTail)
    const variation = variationOf(history, length, { bucket, share: above / before.count })
    const significance = evidence / Math.sqrt(variation)
    if (significance < SIGNIFICANCE_MIN) return undefined
    return { recent: p99, usual, recentCount: recent.count, usualCount: before.count, blocks: length, significance }
  }
}

/**
 * Whether a scan can find anything, from the requests that were counted along: a question of a few additions, half as
 * strict as the scan, since the threshold counted with is not quite the P99 before the window.
 */
function mayHaveRisen({ blocks, pastTail }: LatencyHistory): boolean {
  const all = sumOf([...blocks, pastTail])
  return WINDOWS.some((length) => {
    const recent = sumOf(blocks.slice(0, length))
    const usual = { count: all.count - recent.count, above: all.above - recent.above }
    return usual.count > 0 && tailEvidence(recent, usual) >= SIGNIFICANCE_MIN / 2
  })
}

/** Leaves out the blocks with most requests above the threshold: a stall is no rise, however many requests it met. */
function withoutOutliers(recent: Split, blocks: readonly Block[], bucket: number): Split {
  const worstFirst = blocks.toSorted((a, b) => countAbove(b, bucket) - countAbove(a, bucket))
  const rest = { counts: recent.counts.slice(), count: recent.count }
  for (const block of worstFirst.slice(0, OUTLIER_BLOCKS)) {
    addTo(rest.counts, block, -1)
    rest.count -= block.count
  }
  return rest
}

/** How much more than by chance the tail varied before the window: between blocks or between minutes, the larger. */
function variationOf(
  history: LatencyHistory,
  length: number,
  threshold: { readonly bucket: number; readonly share: number },
): number {
  const [block, minute] = [new Dispersion(), new Dispersion()]
  const tails = history.blocks
    .slice(length)
    .map((one) => ({ count: one.count, above: countAbove(one, threshold.bucket) }))
  for (const tail of tails) block.add(tail, threshold.share)
  for (let start = 0; start + MINUTE_BLOCKS <= tails.length; start += MINUTE_BLOCKS) {
    const parts = tails.slice(start, start + MINUTE_BLOCKS)
    minute.add(sumOf(parts), threshold.share)
  }
  const { variation } = history
  return Math.max(variation.block.with(block, DISPERSION_ASSUMED), variation.minute.with(minute, DISPERSION_ASSUMED))
}
