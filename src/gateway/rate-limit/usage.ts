import type { Usage } from './limiter.ts'
import type { WindowSpan } from './windows.ts'

/** The arithmetic of the three ways to count, the same for every engine. */

const MICROSECONDS_PER_MS = 1_000

/** Whether one more request passes, and what is left after those that are counted. */
export function fixedPasses(limit: number, count: number): boolean {
  return count < limit
}

export function fixedUsage(limit: number, count: number, resetMs: number): Usage {
  return { remaining: Math.max(0, Math.floor(limit - count)), resetMs }
}

/** Requests in the current window and the one before it. */
export type SlidingCounts = { readonly current: number; readonly previous: number }

/** The share of the window before that a window which ends now still covers: from 1 down to 0. */
export function previousShare({ startsAtMs, endsAtMs }: WindowSpan, nowMs: number): number {
  return Math.min(1, Math.max(0, (endsAtMs - nowMs) / (endsAtMs - startsAtMs)))
}

export function slidingPasses(limit: number, { current, previous }: SlidingCounts, share: number): boolean {
  return previous * share + current + 1 <= limit
}

export type SlidingState = SlidingCounts & { readonly span: WindowSpan; readonly nowMs: number }

export function slidingUsage(limit: number, { current, previous, span, nowMs }: SlidingState): Usage {
  const share = previousShare(span, nowMs)
  const lengthMs = span.endsAtMs - span.startsAtMs
  const remaining = Math.max(0, Math.floor(limit - previous * share - current))
  if (remaining > 0) return { remaining, resetMs: lengthMs * (share + (current > 0 ? 1 : 0)) }
  // Room for one more comes when what slides out of the window leaves it: in this window, or in the next one.
  const inThisWindow = previous > 0 && current + 1 <= limit
  const shareThen = inThisWindow ? (limit - 1 - current) / previous : (limit - 1) / current
  return { remaining, resetMs: inThisWindow ? lengthMs * (share - shareThen) : lengthMs * (share + 1 - shareThen) }
}

/** A token bucket in whole microseconds, which are exact in JavaScript and in Redis alike. */
export type Bucket = {
  /** Time in which one token flows in. */
  readonly tokenUs: number
  /** Time in which an empty bucket fills. */
  readonly capacityUs: number
}

export function bucketOf(limit: number, periodMs: number): Bucket {
  const tokenUs = Math.max(1, Math.floor((periodMs * MICROSECONDS_PER_MS) / limit))
  return { tokenUs, capacityUs: tokenUs * limit }
}

/** `untilFullUs`: time until the bucket is full again, 0 when it is. */
export function bucketPasses({ tokenUs, capacityUs }: Bucket, untilFullUs: number): boolean {
  return untilFullUs + tokenUs <= capacityUs
}

export function bucketUsage({ tokenUs, capacityUs }: Bucket, untilFullUs: number): Usage {
  const remaining = Math.max(0, Math.floor((capacityUs - untilFullUs) / tokenUs))
  const resetUs = remaining > 0 ? untilFullUs : untilFullUs + tokenUs - capacityUs
  return { remaining, resetMs: resetUs / MICROSECONDS_PER_MS }
}
