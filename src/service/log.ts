import pino from 'pino'
import { type GroundswellError, isRetryable, traceIdOf } from '../core/index.ts'
import { type FailureFact, failureFacts } from './channels.ts'
import { LOG_BYTES_MAX, LOG_LINES_PER_SECOND_MAX } from './limits.ts'

/**
 * Failures go to stderr as JSON lines: stdout belongs to what the command prints for people. Written beside the event
 * loop, since a reader that pauses must not stop the requests; beyond LOG_BYTES_MAX lines are dropped. pino writes
 * what is left at the exit.
 */
const destination = pino.destination({ fd: 2, sync: false, maxLength: LOG_BYTES_MAX })
// A stderr that is closed, or full, is no reason to end the process; unheard, the event would.
destination.on('error', () => {})
const logger = pino({ name: 'groundswell' }, destination)

/** Lines of the current second by their code. */
const lines = new Map<string, number>()

/**
 * Logs a request that ended in 500 or more under its trace id, and publishes it. The answer itself names no
 * internals. Of one code at most LOG_LINES_PER_SECOND_MAX lines a second: a database that is away fails every request.
 */
export function reportFailure(fact: FailureFact): void {
  failureFacts.publish(fact)
  const { method, path, status, traceparent, error } = fact
  const code = (error as GroundswellError | undefined)?.code
  if (!isWithinRate(`${code}`)) return
  const fields = { traceId: traceIdOf(traceparent), method, path, status, code }
  if (isRetryable(error)) logger.warn({ ...fields, reason: (error as Error).message }, 'request failed for now')
  else logger.error({ ...fields, err: error }, 'request failed')
}

function isWithinRate(code: string): boolean {
  if (lines.size === 0) setTimeout(endSecond, 1_000).unref()
  const count = (lines.get(code) ?? 0) + 1
  lines.set(code, count)
  return count <= LOG_LINES_PER_SECOND_MAX
}

function endSecond(): void {
  for (const [code, count] of lines) {
    const leftOut = count - LOG_LINES_PER_SECOND_MAX
    if (leftOut > 0) logger.warn({ code, leftOut }, 'more requests failed in the same second')
  }
  lines.clear()
}
