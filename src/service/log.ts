import pino from 'pino'
import { type GroundswellError, isRetryable, traceIdOf } from '../core/index.ts'
import { type FailureFact, failureFacts } from './channels.ts'

/** Failures go to stderr as JSON lines: stdout belongs to what the command prints for people. */
const logger = pino({ name: 'groundswell' }, pino.destination({ fd: 2, sync: true }))

/**
 * Logs a request that ended in 500 or more under its trace id, and publishes it. The answer itself names no
 * internals.
 */
export function reportFailure(fact: FailureFact): void {
  failureFacts.publish(fact)
  const { method, path, status, traceparent, error } = fact
  const fields = { traceId: traceIdOf(traceparent), method, path, status, code: (error as GroundswellError)?.code }
  if (isRetryable(error)) logger.warn({ ...fields, reason: (error as Error).message }, 'request failed for now')
  else logger.error({ ...fields, err: error }, 'request failed')
}
