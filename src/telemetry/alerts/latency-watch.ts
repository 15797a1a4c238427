import type { EncodedHistogram } from '../histogram-encoding.ts'
import { LatencyHistory } from './latency-history.ts'
import type { Rise, RiseScan } from './latency-rise.ts'
import {
  BLOCK_MS,
  FIRING_MS_MAX,
  MINUTE_BLOCKS,
  RECENT_BLOCKS_MAX,
  RECENT_REQUESTS_MIN,
  RESOLVING_BLOCKS,
  RESOLVING_REQUESTS_MIN,
  RISE_OVER_MAX,
  USUAL_MINUTES_MAX,
  USUAL_MINUTES_MIN,
} from './limits.ts'

/** What a block changed. */
export type LatencyChange =
  | { readonly kind: 'rose'; readonly rise: Rise; readonly sinceMs: number }
  | { readonly kind: 'ended'; readonly how: 'back' | 'silent' | 'usual now'; readonly p99: number }

type Firing = { readonly usual: number; readonly firedAtMs: number; calmBlocks: number }

/**
 * One route or journey:
 *
 *     quiet ──rise──▶ firing ──back for half a minute, silent, or an hour at the new level──▶ quiet
 *
 * While it fires, what is usual stays what it was when it began, and nothing of the incident ever joins it.
 */
export class LatencyWatch {
  readonly #history: LatencyHistory
  #firing: Firing | undefined
  #sealed = 0
  /** P99 of each minute with enough requests, newest last. */
  readonly #minutes: number[] = []

  /** `order`: how many there are already. Watches take turns with what they do once a minute. */
  constructor(order: number) {
    this.#history = new LatencyHistory(order)
  }

  record(latency: EncodedHistogram): void {
    this.#history.record(latency)
  }

  /** Ends a block at `atMs` and says what that changed. */
  seal(atMs: number, scan: RiseScan): LatencyChange | undefined {
    this.#history.seal(this.#firing === undefined ? 'joins the past' : 'is forgotten')
    this.#sealed += 1
    if (this.#firing !== undefined) return this.#resolve(this.#firing, atMs)
    if (this.#sealed % MINUTE_BLOCKS === 0) this.#remember()
    const rise = scan.scan(this.#history)
    if (rise === undefined) return undefined
    this.#firing = { usual: rise.usual, firedAtMs: atMs, calmBlocks: 0 }
    this.#history.cut(rise.blocks)
    return { kind: 'rose', rise, sinceMs: atMs - rise.blocks * BLOCK_MS }
  }

  /** P99 of the last minute, in the unit of the histograms, and how many requests it comes from. */
  lastMinute(): { readonly p99: number; readonly count: number } {
    return this.#history.p99Of(MINUTE_BLOCKS)
  }

  /** Between what values the P99 of a minute usually lies; undefined before it was watched for some minutes. */
  get usual(): { readonly low: number; readonly high: number } | undefined {
    if (this.#minutes.length < USUAL_MINUTES_MIN) return undefined
    const sorted = this.#minutes.toSorted((a, b) => a - b)
    const at = (fraction: number) => sorted[Math.round(fraction * (sorted.length - 1))] ?? 0
    return { low: at(0.1), high: at(0.9) }
  }

  #resolve(firing: Firing, atMs: number): LatencyChange | undefined {
    const now = this.#level()
    if (now.silent) return this.#end(MINUTE_BLOCKS, { kind: 'ended', how: 'silent', p99: 0 })
    firing.calmBlocks = now.p99 <= firing.usual * RISE_OVER_MAX ? firing.calmBlocks + 1 : 0
    if (firing.calmBlocks >= RESOLVING_BLOCKS) {
      return this.#end(now.blocks, { kind: 'ended', how: 'back', p99: now.p99 })
    }
    if (atMs - firing.firedAtMs < FIRING_MS_MAX) return undefined
    this.#history.startAfresh()
    return this.#end(RECENT_BLOCKS_MAX, { kind: 'ended', how: 'usual now', p99: now.p99 })
  }

  #end(kept: number, change: LatencyChange): LatencyChange {
    this.#firing = undefined
    this.#history.drop(kept)
    return change
  }

  /** P99 of the last minute where that has requests enough to tell, of five minutes otherwise. */
  #level(): { readonly p99: number; readonly silent: boolean; readonly blocks: number } {
    const minute = this.#history.p99Of(MINUTE_BLOCKS)
    if (minute.count >= RESOLVING_REQUESTS_MIN) return { ...minute, silent: false, blocks: MINUTE_BLOCKS }
    const all = this.#history.p99Of(RECENT_BLOCKS_MAX)
    const silent = all.count === 0 && this.#history.blocks.length >= RECENT_BLOCKS_MAX
    return { ...all, silent, blocks: RECENT_BLOCKS_MAX }
  }

  #remember(): void {
    const { p99, count } = this.lastMinute()
    if (count < RECENT_REQUESTS_MIN) return
    this.#minutes.push(p99)
    if (this.#minutes.length > USUAL_MINUTES_MAX) this.#minutes.shift()
  }
}
