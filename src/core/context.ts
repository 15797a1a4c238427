import { randomBytes } from 'node:crypto'
import { SERVICE_DEADLINE_MS } from './limits.ts'

/**
 * What travels with a request through every part: who it is (trace) and how long anyone will wait for it (deadline).
 */
export type Context = {
  /** W3C Trace Context header value, `00-<trace id>-<parent id>-<flags>`. Source: W3C Trace Context, section 3.2. */
  readonly traceparent: string
  /** Milliseconds since the Unix epoch after which nobody waits for the answer. */
  readonly deadlineAtMs: number
}

export const TRACEPARENT_HEADER = 'traceparent'
/** Remaining time in milliseconds: a relative time, since clocks of two machines differ. */
export const DEADLINE_HEADER = 'x-deadline-ms'

const TRACEPARENT = /^[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/

/** A context from request headers: keeps a valid `traceparent`, never extends a deadline that came with the request. */
export function contextFrom(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  limitMs: number = SERVICE_DEADLINE_MS,
): Context {
  const traceparent = headers[TRACEPARENT_HEADER]
  const remaining = Number(headers[DEADLINE_HEADER])
  const budgetMs = remaining > 0 && remaining < limitMs ? remaining : limitMs
  return {
    traceparent: typeof traceparent === 'string' && TRACEPARENT.test(traceparent) ? traceparent : newTraceparent(),
    deadlineAtMs: Date.now() + budgetMs,
  }
}

/** A context for work that no request started. */
export function newContext(budgetMs: number = SERVICE_DEADLINE_MS): Context {
  return { traceparent: newTraceparent(), deadlineAtMs: Date.now() + budgetMs }
}

/** The 32 hex digits that join everything one request caused. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35)
}

/** Milliseconds until the deadline; 0 when it has passed. */
export function remainingMs(context: Context): number {
  return Math.max(0, context.deadlineAtMs - Date.now())
}

function newTraceparent(): string {
  const random = randomBytes(24).toString('hex')
  return `00-${random.slice(0, 32)}-${random.slice(32)}-01`
}
