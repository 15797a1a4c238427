import pino from 'pino'
import { spanIdOf, systemClock, traceIdOf } from '../core/index.ts'
import { LOG_BYTES_MAX } from './limits.ts'

/** One line of the log. */
export type LogEntry = {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  /** Entries of one kind share a limit: what differs from one to the next, such as ids, does not belong in it. */
  readonly kind: string
  readonly fields: Readonly<Record<string, unknown>>
  /** Logged with its stack. For what nobody planned for; a planned error is in the fields. */
  readonly error?: unknown
}

export type WriteEntry = (entry: LogEntry) => void

/** The least that is logged; `silent` is nothing at all. */
export const LOG_LEVELS = ['info', 'warn', 'error', 'silent'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/**
 * The only place that writes the log: lines of JSON on stderr, since stdout belongs to what a command prints; readable
 * lines on a terminal. What belongs to a trace has `trace_id` and `span_id`, as OpenTelemetry names them in JSON.
 */
export function openLog(level: LogLevel, write: WriteEntry = stderrWriter()): WriteEntry {
  const least = LOG_LEVELS.indexOf(level)
  return (entry) => {
    if (LOG_LEVELS.indexOf(entry.level) >= least) write(entry)
  }
}

/** The fields that find the trace of a line; none where there is no trace. */
export function traceFields(traceparent: string | undefined): Readonly<Record<string, string>> {
  if (!traceparent) return {}
  return { trace_id: traceIdOf(traceparent), span_id: spanIdOf(traceparent) }
}

function stderrWriter(): WriteEntry {
  if (process.stderr.isTTY) return (entry) => void process.stderr.write(`${readableLine(entry)}\n`)
  // Beside the event loop, since a reader that pauses must not stop the requests. pino writes what is left at the exit.
  const destination = pino.destination({ fd: 2, sync: false, maxLength: LOG_BYTES_MAX })
  // A stderr that is closed, or full, is no reason to end the process; unheard, the event would.
  destination.on('error', () => {})
  const logger = pino({ name: 'groundswell' }, destination)
  return ({ level, message, fields, error }) =>
    logger[level](error === undefined ? fields : { ...fields, err: error }, message)
}

/** `12:30:01 warn  event work failed and is repeated: the connection broke (shard=1 part=sequencer)` */
export function readableLine({ level, message, fields, error }: LogEntry): string {
  const { reason, ...others } = fields
  const time = new Date(systemClock.now()).toISOString().slice(11, 19)
  const pairs = Object.entries(others)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${value}`)
  const why = reason === undefined ? '' : `: ${reason}`
  const stack = error instanceof Error && error.stack !== undefined ? `\n${error.stack}` : ''
  return `${time} ${level.padEnd(5)} ${message}${why}${pairs.length > 0 ? ` (${pairs.join(' ')})` : ''}${stack}`
}
