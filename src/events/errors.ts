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
      'Events were dropped before their group had them. Move it on: events replay <group> --from earliest, or events skip.',
  },
  EVENTS_GROUP_PAUSED: {
    status: 503,
    retryable: true,
    remedy: 'An operator has paused the group, or sent it back, and its process stops. What it holds comes again.',
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
  EVENTS_BROKER_URL_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'EVENTS_URL is no address of a broker. See the events guide for its grammar.',
  },
  EVENTS_DRIVER_MISSING: {
    status: 500,
    retryable: false,
    remedy: 'The client of the broker is not installed. Run the npm command that the message names.',
  },
  EVENTS_BROKER_UNAVAILABLE: {
    status: 503,
    retryable: true,
    remedy: 'The broker that EVENTS_URL names does not answer. Events wait in the log of their shard until it does.',
  },
  EVENTS_BROKER_MISMATCH: {
    status: 500,
    retryable: false,
    remedy:
      'A topic has another number of partitions than is declared, which would break the order of keys. Correct EVENTS_PARTITIONS.',
  },
  EVENTS_BROKER_NEEDED: {
    status: 500,
    retryable: false,
    remedy:
      'Groups have read this log through a broker, and the log alone does not tell how far. Set EVENTS_URL again.',
  },
  EVENTS_STOP_GIVEN_UP: {
    status: 500,
    retryable: false,
    remedy:
      'A handler did not end when its process stopped, and was cut off: its events come again. Bound what it waits for.',
  },
  EVENTS_READER_STALLED: {
    status: 503,
    retryable: true,
    remedy:
      'A group had lag and read nothing: its reader was given up for another one. Nothing to do, unless it repeats.',
  },
  EVENTS_RECORD_UNREADABLE: {
    status: 500,
    retryable: false,
    remedy: 'Something else writes to a topic of Groundswell. Give it a topic of its own; the record is passed over.',
  },
  EVENTS_PARKED_TOO_MANY: {
    status: 503,
    retryable: true,
    remedy: 'A group has too many parked keys and reads nothing new until some are done. See `groundswell events dlq`.',
  },
  EVENTS_GROUP_INVALID: {
    status: 500,
    retryable: false,
    remedy: 'A group is declared twice, has two consumers of one event, or a call for every shard. Correct it.',
  },
  EVENTS_BROKER_UNSUPPORTED: {
    status: 500,
    retryable: false,
    remedy:
      'EVENTS_URL names a broker, or a version of one, that cannot keep the promises. The message says which can.',
  },
  EVENTS_BROKER_REJECTED: {
    status: 503,
    retryable: true,
    remedy:
      'The broker refused records: a queue is full. They wait in PostgreSQL; see to the group that does not read.',
  },
  EVENTS_BROKER_UNROUTABLE: {
    status: 503,
    retryable: true,
    remedy: 'The broker has no queue for a record: something deleted it. The next start makes it again.',
  },
  EVENTS_BROKER_DEAD_LETTERED: {
    status: 500,
    retryable: false,
    remedy:
      'The broker gave records up, after too many deliveries: a process died with them each time. Find out which.',
  },
})

/**
 * Whether an error says nothing about the event at hand: the database was away, a deadlock chose us, another process
 * took over. Such work is repeated for as long as it takes and never counted against an event. Three that may go away
 * by themselves do speak of the event: a row for another shard, a statement that needs more than a configured limit,
 * and one that takes too long, which is why a batch of several asks `isTimeout` as well.
 */
export function isInfrastructure(error: unknown): boolean {
  if (!(error instanceof GroundswellError)) return false
  if (OF_THE_LOG.has(error.code)) return true
  if (error.code === 'DATA_BUCKET_NOT_OWNED' || error.details.sqlState === LIMIT_EXCEEDED || isTimeout(error))
    return false
  return error.code === 'DATA_COMMIT_UNKNOWN' || (error.retryable && error.code.startsWith('DATA_'))
}

/** SQLSTATE of a statement that asked for more than the server is configured to give one, such as temp_file_limit. */
const LIMIT_EXCEEDED = '53400'

const OF_THE_LOG = new Set(['EVENTS_POSITION_TAKEN', 'EVENTS_LOG_UNREADABLE', 'EVENTS_OFFSET_EXPIRED'])

/** Whether a statement took too long: because of its event, of the size of its batch, or of a slow database. */
export function isTimeout(error: unknown): boolean {
  return error instanceof GroundswellError && error.code === 'DATA_STATEMENT_TIMEOUT'
}

/** What a person reads about a failure. PostgreSQL has no text for NUL, nor for half of a surrogate pair. */
export function textOf(error: unknown): string {
  if (error === undefined || error === null) return `${error} was thrown, which says nothing of the reason`
  const code = error instanceof GroundswellError ? `${error.code}: ` : ''
  return `${code}${messageOf(error)}`.replaceAll('\0', '').slice(0, ERROR_CHARS_MAX).toWellFormed()
}
