import { SERVICE_DEADLINE_MS } from './limits.ts'
import { childTraceparent, newTraceparent, parseTraceparent } from './trace.ts'

/**
 * What travels with a request through every part: who it is (trace) and how long anyone will wait for it (deadline).
 */
export type Context = {
  /** Names the trace and the span of the work that has this context: see `trace.ts`. */
  readonly traceparent: string
  /** Milliseconds since the Unix epoch after which nobody waits for the answer. */
  readonly deadlineAtMs: number
}

export const TRACEPARENT_HEADER = 'traceparent'
/** Remaining time in milliseconds: a relative time, since clocks of two machines differ. */
export const DEADLINE_HEADER = 'x-deadline-ms'

/**
 * A context from request headers: keeps a valid `traceparent`, which names the caller's span, and never extends a
 * deadline that came with the request. Without a valid one, a new trace begins, which is not kept.
 */
export function contextFrom(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  limitMs: number = SERVICE_DEADLINE_MS,
): Context {
  const remaining = Number(headers[DEADLINE_HEADER])
  const budgetMs = remaining > 0 && remaining < limitMs ? remaining : limitMs
  return {
    traceparent: parseTraceparent(headers[TRACEPARENT_HEADER]) ?? newTraceparent(),
    deadlineAtMs: Date.now() + budgetMs,
  }
}

/** The context of work that this one's work asked for: a span of its own in the same trace, the same deadline. */
export function childContext(context: Context): Context {
  const traceparent = childTraceparent(context.traceparent)
  return traceparent === context.traceparent ? context : { ...context, traceparent }
}

/** A context for work that no request started; its trace is not kept. */
export function newContext(budgetMs: number = SERVICE_DEADLINE_MS): Context {
  return { traceparent: newTraceparent(), deadlineAtMs: Date.now() + budgetMs }
}

/** Milliseconds until the deadline; 0 when it has passed. */
export function remainingMs(context: Context): number {
  return Math.max(0, context.deadlineAtMs - Date.now())
}
