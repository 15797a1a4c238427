import { defineErrors, GroundswellError, messageOf } from '../core/index.ts'
import { ERROR_CHARS_MAX } from './limits.ts'

export const eventsError = defineErrors({
  EVENTS_PAYLOAD_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'A payload does not match the schema of its event type; details.issues says where. Correct the writer.',
  },
  EVENTS_TOO_MANY: {
    status: 500,
    retryable: false,
    remedy: 'One transaction emitted more events than allowed. Split the work into several transactions.',
  },
  EVENTS_TIMER_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'A timer has no key, one that is too long, or a time that is none or too far off. Correct the writer.',
  },
  EVENTS_OUTBOX_SEQUENCE_CACHED: {
    status: 500,
    retryable: false,
    remedy: 'A sequence that caches breaks the order of events. Run ALTER SEQUENCE groundswell.outbox_pos_seq CACHE 1.',
  },
  EVENTS_POSITION_TAKEN: {
    status: 503,
    retryable: true,
    remedy: 'Another process works for this group; this one rolled back and reads the position again. Nothing to do.',
  },
  EVENTS_LOG_UNREADABLE: {
    status: 500,
    retryable: false,
    remedy: 'A segment of the log is missing or damaged. Restore the one that the message names: its topic waits.',
  },
  EVENTS_OFFSET_EXPIRED: {
    status: 410,
    retryable: false,
    remedy:
      'Retention dropped events before their group had processed them. See what they were, then move the group on: groundswell events replay <group> --from earliest.',
  },
  EVENTS_REPLAY_INVALID: {
    status: 400,
    retryable: false,
    remedy: 'A group cannot be replayed from there. The message says from where it can.',
  },
  EVENTS_CALL_TIMEOUT: {
    status: 504,
    retryable: true,
    remedy: 'An external call of a consumer took too long. The event is parked and tried again under the same id.',
  },
  EVENTS_GROUP_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'A group is declared twice, has two consumers of one event, or a call for every shard. Correct it.',
  },
})

/**
 * Whether an error says nothing about the event at hand: the database was away, a deadlock chose us, another process
 * took over. Such work is repeated for as long as it takes and never counted against an event. Two that may go away
 * by themselves do speak of the event: a row for another shard, and a statement that takes too long, which is why a
 * batch of several asks `isTimeout` as well.
 */
export function isInfrastructure(error: unknown): boolean {
  if (!(error instanceof GroundswellError)) return false
  if (OF_THE_LOG.has(error.code)) return true
  if (error.code === 'DATA_BUCKET_NOT_OWNED' || isTimeout(error)) return false
  return error.code === 'DATA_COMMIT_UNKNOWN' || (error.retryable && error.code.startsWith('DATA_'))
}

const OF_THE_LOG = new Set(['EVENTS_POSITION_TAKEN', 'EVENTS_LOG_UNREADABLE', 'EVENTS_OFFSET_EXPIRED'])

/** Whether a statement took too long: because of its event, of the size of its batch, or of a slow database. */
export function isTimeout(error: unknown): boolean {
  return error instanceof GroundswellError && error.code === 'DATA_STATEMENT_TIMEOUT'
}

/** What a person reads about a failure. PostgreSQL has no text for NUL, nor for half of a surrogate pair. */
export function textOf(error: unknown): string {
  const code = error instanceof GroundswellError ? `${error.code}: ` : ''
  return `${code}${messageOf(error)}`.replaceAll('\0', '').slice(0, ERROR_CHARS_MAX).toWellFormed()
}
