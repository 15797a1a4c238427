import type { LagSample } from '../view.ts'
import {
  BLOCK_MS,
  DRAIN_BLOCKS,
  DRAINED_WITHIN_MS,
  LAG_OVER_SECONDS_MAX,
  LAG_SECONDS_MIN,
  LAG_WINDOWS,
  MINUTE_BLOCKS,
  RESOLVING_BLOCKS,
  TREND_AGREEMENT_MIN,
  TREND_POINTS_MAX,
} from './limits.ts'
import { trendOf } from './trend.ts'

/** What a sample changed. */
export type LagChange =
  | { readonly kind: 'grew'; readonly growth: Growth; readonly sinceMs: number }
  | { readonly kind: 'ended'; readonly how: 'gone' | 'steady'; readonly seconds: number }

export type Growth = {
  readonly fromSeconds: number
  readonly toSeconds: number
  readonly messages: number
  /** Events that come more than are consumed, a second. Negative when the backlog shrinks, but not soon enough. */
  readonly messagesPerSecond: number
}

type Sample = { readonly messages: number; readonly seconds: number }
type Firing = { readonly firedAtMs: number; calmBlocks: number }

const [, , LONGEST_WINDOW] = LAG_WINDOWS

/**
 * One topic and group:
 *
 *     quiet ──grows and is not drained──▶ firing ──gone for half a minute, or steady for a quarter of an hour──▶ quiet
 *
 * It grows when its trend rose by ten seconds in one of the windows and it has lasted for a minute. The age of the
 * oldest waiting event also grows while a burst is worked off, so that it alone says nothing: the number of waiting
 * events must not be falling towards its end.
 */
export class LagWatch {
  /** One a block, oldest first. */
  readonly #samples: Sample[] = []
  #firing: Firing | undefined

  get seconds(): number {
    return this.#samples.at(-1)?.seconds ?? 0
  }

  get isFiring(): boolean {
    return this.#firing !== undefined
  }

  sample({ messages, seconds }: Pick<LagSample, 'messages' | 'seconds'>, atMs: number): LagChange | undefined {
    this.#samples.push({ messages, seconds })
    if (this.#samples.length > LONGEST_WINDOW) this.#samples.shift()
    if (this.#firing !== undefined) return this.#resolve(this.#firing, atMs)
    const growth = growthOf(this.#samples)
    if (growth === undefined) return undefined
    this.#firing = { firedAtMs: atMs, calmBlocks: 0 }
    return { kind: 'grew', growth, sinceMs: atMs - blocksOfLag(this.#samples) * BLOCK_MS }
  }

  #resolve(firing: Firing, atMs: number): LagChange | undefined {
    firing.calmBlocks = this.seconds <= LAG_OVER_SECONDS_MAX ? firing.calmBlocks + 1 : 0
    if (firing.calmBlocks >= RESOLVING_BLOCKS) return this.#end('gone')
    const old = atMs - firing.firedAtMs >= LONGEST_WINDOW * BLOCK_MS
    return old && riseWithin(this.#samples, LONGEST_WINDOW) <= 0 ? this.#end('steady') : undefined
  }

  #end(how: 'gone' | 'steady'): LagChange {
    this.#firing = undefined
    return { kind: 'ended', how, seconds: this.seconds }
  }
}

function growthOf(samples: readonly Sample[]): Growth | undefined {
  const last = samples.at(-1)
  if (last === undefined || last.seconds < LAG_SECONDS_MIN || blocksOfLag(samples) < MINUTE_BLOCKS) return undefined
  if (!LAG_WINDOWS.some((length) => riseWithin(samples, length) >= LAG_SECONDS_MIN)) return undefined
  const messagesPerSecond = drainOf(samples)
  const drainedInMs = messagesPerSecond < 0 ? (last.messages / -messagesPerSecond) * 1_000 : Number.POSITIVE_INFINITY
  if (drainedInMs <= DRAINED_WITHIN_MS) return undefined
  const fromSeconds = samples.at(-1 - blocksOfLag(samples))?.seconds ?? 0
  return { fromSeconds, toSeconds: last.seconds, messages: last.messages, messagesPerSecond }
}

/** Blocks since the lag was last a tenth of what it is now. */
function blocksOfLag(samples: readonly Sample[]): number {
  const small = Math.max(1, (samples.at(-1)?.seconds ?? 0) / 10)
  return (
    samples.length -
    1 -
    Math.max(
      0,
      samples.findLastIndex(({ seconds }) => seconds <= small),
    )
  )
}

/** Seconds by which the lag rose in the last `length` blocks, by its trend; 0 when there is none, or too few blocks. */
function riseWithin(samples: readonly Sample[], length: number): number {
  if (samples.length < length) return 0
  const step = Math.ceil(length / TREND_POINTS_MAX)
  const points = samples.slice(-length).filter((_, index) => (length - 1 - index) % step === 0)
  const { slope, agreement } = trendOf(points.map(({ seconds }) => seconds))
  return agreement >= TREND_AGREEMENT_MIN ? slope * (points.length - 1) : 0
}

/** Events a second by which the backlog changed of late; 0 when that is no trend. */
function drainOf(samples: readonly Sample[]): number {
  const { slope, agreement } = trendOf(samples.slice(-DRAIN_BLOCKS).map(({ messages }) => messages))
  return Math.abs(agreement) >= TREND_AGREEMENT_MIN ? slope / (BLOCK_MS / 1_000) : 0
}
