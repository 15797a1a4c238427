import pino from 'pino'
import { GroundswellError, isRetryable, type Lifecycle, messageOf, systemClock, traceIdOf } from '../core/index.ts'
import { slowQueryFacts } from '../data/index.ts'
import { parked, workFailed } from '../events/index.ts'
import { adminRequestFailed, configProblem, configReloadFailed, requestFailed } from '../gateway/index.ts'
import { type Alert, alertChanged } from '../telemetry/index.ts'
import { housekeepingFailed } from './channels.ts'
import { FAILURE_KINDS_MAX, FAILURE_LOG_BYTES_MAX, FAILURE_WINDOW_MS, STATEMENT_CHARACTERS_SHOWN } from './limits.ts'

/**
 * What goes wrong while an application runs, in the log: the folders publish it as facts, and this is who listens. One
 * line of JSON each on stderr, since stdout belongs to what a command prints; readable lines on a terminal. Of each
 * kind the first is logged at once and the rest as a count every ten seconds. (Requests that a service failed on are
 * not here: the service logs those itself, under their trace ids.)
 */
export type LogEntry = {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  /** Failures of one kind share a limit: what differs from one to the next, such as ids, does not belong in it. */
  readonly kind: string
  readonly fields: Readonly<Record<string, unknown>>
  /** Logged with its stack. For what nobody planned for; a planned error is in the fields. */
  readonly error?: unknown
}

export type WriteEntry = (entry: LogEntry) => void

/** Logs failures until it is stopped, and then what was still only counted. */
export function logFailures(write: WriteEntry = stderrWriter()): Lifecycle['stop'] {
  const limited = limitRepeats(write)
  const timer = setInterval(limited.flush, FAILURE_WINDOW_MS)
  timer.unref()
  const unsubscribes = subscribeAll(limited.write)
  return async () => {
    clearInterval(timer)
    for (const unsubscribe of unsubscribes) unsubscribe()
    limited.flush()
  }
}

/** Lets the first entry of each kind through; `flush` writes the last with how many came since, and starts afresh. */
export function limitRepeats(write: WriteEntry): { readonly write: WriteEntry; readonly flush: () => void } {
  const counts = new Map<string, { entry: LogEntry; count: number }>()
  return {
    write(entry) {
      const kind = counts.has(entry.kind) || counts.size < FAILURE_KINDS_MAX ? entry.kind : 'others'
      const count = (counts.get(kind)?.count ?? 0) + 1
      counts.set(kind, { entry, count })
      if (count === 1) write(entry)
    },
    flush() {
      for (const { entry, count } of counts.values()) {
        const repeats = count - 1
        if (repeats === 0) continue
        const { error: _, ...last } = entry
        write({
          ...last,
          message: `${entry.message} (${repeats} more like it)`,
          fields: { ...entry.fields, repeats },
        })
      }
      counts.clear()
    },
  }
}

function subscribeAll(write: WriteEntry): readonly (() => void)[] {
  return [
    requestFailed.subscribe(({ requestId, error }) =>
      write({
        ...planned('the gateway failed on a request', error),
        kind: `gateway ${codeOf(error)}`,
        fields: { requestId, ...causeOf(error) },
      }),
    ),
    adminRequestFailed.subscribe(({ method, path, error }) =>
      write({
        ...planned('the Admin API failed on a request', error),
        kind: `admin ${method} ${codeOf(error)}`,
        fields: { method, path, ...causeOf(error) },
      }),
    ),
    configProblem.subscribe(({ message }) =>
      write({
        level: 'warn',
        message: 'the gateway cannot use a part of its configuration',
        kind: `config ${message}`,
        fields: { reason: message },
      }),
    ),
    configReloadFailed.subscribe(({ version, error }) =>
      write({
        ...planned('the gateway could not read its configuration again, and goes on with the one it has', error),
        level: 'warn',
        kind: `config-reload ${codeOf(error)}`,
        fields: { version, ...causeOf(error) },
      }),
    ),
    parked.subscribe(({ state, error, traceparent, ...fact }) =>
      write({
        level: state === 'dead' ? 'error' : 'warn',
        message: state === 'dead' ? 'an event is a dead letter' : 'an event failed and will be tried again',
        kind: `parked ${state} ${fact.group} ${fact.topic}`,
        fields: { traceId: traceIdOf(traceparent), ...fact, reason: error },
      }),
    ),
    workFailed.subscribe(({ shard, part, error, retryInMs }) =>
      write({
        ...planned('event work failed and is repeated', error),
        level: 'warn',
        kind: `work ${part} ${shard} ${codeOf(error)}`,
        fields: { shard, part, retryInMs: Math.round(retryInMs), ...causeOf(error) },
      }),
    ),
    slowQueryFacts.subscribe(({ shard, text, ms }) => {
      const statement = text.replace(/\s+/g, ' ').trim().slice(0, STATEMENT_CHARACTERS_SHOWN)
      const fields = { shard, ms: Math.round(ms), statement }
      write({ level: 'warn', message: 'a statement was slow', kind: 'slow statement', fields })
    }),
    alertChanged.subscribe((alert) => write(alertEntry(alert))),
    housekeepingFailed.subscribe(({ task, error }) =>
      write({
        ...planned('housekeeping failed and is tried again', error),
        level: 'warn',
        kind: `housekeeping ${task}`,
        fields: { task, ...causeOf(error) },
      }),
    ),
  ]
}

function alertEntry({ message: reason, ...alert }: Alert): LogEntry {
  const fires = alert.state === 'firing'
  return {
    level: fires ? 'warn' : 'info',
    message: fires ? 'an alert fires' : 'an alert is resolved',
    kind: `alert ${alert.id} ${alert.state}`,
    fields: { ...alert, reason },
  }
}

/** What may pass by itself is a warning; what nobody planned for has its stack. */
function planned(message: string, error: unknown): Pick<LogEntry, 'level' | 'message' | 'error'> {
  const level = isRetryable(error) ? 'warn' : 'error'
  return error instanceof GroundswellError ? { level, message } : { level, message, error }
}

function causeOf(error: unknown): Readonly<Record<string, unknown>> {
  const code = (error as GroundswellError | undefined)?.code
  return { ...(code === undefined ? {} : { code }), reason: messageOf(error) }
}

function codeOf(error: unknown): string {
  return (error as GroundswellError | undefined)?.code ?? (error instanceof Error ? error.name : typeof error)
}

function stderrWriter(): WriteEntry {
  if (process.stderr.isTTY) return (entry) => void process.stderr.write(`${readableLine(entry)}\n`)
  // Beside the event loop, since a reader that pauses must not stop the requests. pino writes what is left at the exit.
  const destination = pino.destination({ fd: 2, sync: false, maxLength: FAILURE_LOG_BYTES_MAX })
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
  const pairs = Object.entries(others).map(([name, value]) => `${name}=${value}`)
  const why = reason === undefined ? '' : `: ${reason}`
  const stack = error instanceof Error && error.stack !== undefined ? `\n${error.stack}` : ''
  return `${time} ${level.padEnd(5)} ${message}${why}${pairs.length > 0 ? ` (${pairs.join(' ')})` : ''}${stack}`
}
