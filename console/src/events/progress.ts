import { seconds, text } from '../format.ts'

/** How a group gets on with what waits for it. */
export type Progress =
  /** Nothing waits, or what waits is younger than a few steps of delivery. */
  | { readonly kind: 'even' }
  | { readonly kind: 'paused' }
  /** Everything that waits is done in this time, at the present rates. */
  | { readonly kind: 'drains'; readonly inSeconds: number }
  /** More comes in than goes out. */
  | { readonly kind: 'grows' }
  /** Nothing moves. */
  | { readonly kind: 'stands' }

export type ProgressFacts = {
  readonly lag: number
  readonly oldestAgeSeconds: number
  readonly isPaused: boolean
  readonly writtenPerSecond: number
  readonly consumedPerSecond: number
}

/** Delivery works in steps of tens of milliseconds, and lingers under load: younger than this is on its way. */
const EVEN_SECONDS = 3

export function progressOf(facts: ProgressFacts): Progress {
  const { lag, oldestAgeSeconds, isPaused, writtenPerSecond, consumedPerSecond } = facts
  if (isPaused) return { kind: 'paused' }
  if (lag === 0 || oldestAgeSeconds < EVEN_SECONDS) return { kind: 'even' }
  const net = consumedPerSecond - writtenPerSecond
  if (net > 0) return { kind: 'drains', inSeconds: lag / net }
  return consumedPerSecond === 0 && writtenPerSecond === 0 ? { kind: 'stands' } : { kind: 'grows' }
}

export function progressWords(progress: Progress): string {
  if (progress.kind === 'drains') return text(seconds(progress.inSeconds))
  return { even: 'keeps up', paused: 'paused', grows: 'grows', stands: 'stands still' }[progress.kind]
}

export function progressTone({ kind }: Progress): string {
  if (kind === 'grows') return 'red'
  if (kind === 'stands') return 'orange'
  return kind === 'drains' ? '' : 'quiet'
}

/** For an order by it: what never ends comes last. */
export function drainSeconds(progress: Progress): number {
  if (progress.kind === 'drains') return progress.inSeconds
  return progress.kind === 'even' ? 0 : Number.POSITIVE_INFINITY
}
