import type { Period } from './windows.ts'

/** At most `count` requests in a `period`. */
export type Limit = { readonly period: Period; readonly count: number }

/**
 * How requests are counted.
 *
 * - `fixed`: by calendar windows in UTC. A burst across the end of a window may be twice the limit.
 * - `sliding`: those of the current window, and of the one before the share that still overlaps with a window that ends
 *   now, as if they had been spread evenly. No burst at the boundary. Source: Cloudflare, "How we built rate limiting
 *   capable of scaling to millions of domains"; Kong names it so in `rate-limiting-advanced`.
 * - `token-bucket`: a bucket of `count` tokens that fills within one period, at an even rate. A request takes a token.
 *   Kept as one moment, at which the bucket will be full again: the generic cell rate algorithm of ITU-T I.371.
 */
export const WINDOW_TYPES = ['fixed', 'sliding', 'token-bucket'] as const

export type WindowType = (typeof WINDOW_TYPES)[number]

/** What is left of one limit after a request. */
export type Usage = {
  /** Requests that may still pass, a whole number. */
  readonly remaining: number
  /**
   * Milliseconds until, of a fixed window, its end; of the others, until one more may pass when nothing remains, and
   * else until the whole limit is there again.
   */
  readonly resetMs: number
}

/** Whether a request passes, and the usage of each limit in the order of the limits. */
export type Verdict = { readonly passes: boolean; readonly usages: readonly Usage[] }

/**
 * Counts requests by identifier against several limits at once.
 *
 * To look and to count is one step, for whoever shares the counts: however many ask at the same moment, no more pass
 * than each limit allows. A request that one limit refuses counts in none. The clock is the caller's; one that goes
 * back a little never gives away more. Rejects when the counts cannot be reached, and nothing is known of them then.
 */
export type RateLimiter = {
  take(identifier: string, nowMs: number): Verdict | Promise<Verdict>
}

/** What makes a limiter: its limits, shortest period first, and how they count. */
export type LimiterRules = { readonly limits: readonly Limit[]; readonly windowType: WindowType }
