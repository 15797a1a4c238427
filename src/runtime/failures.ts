import { levelChanged } from '../cache/index.ts'
import { GroundswellError, isRetryable, type Lifecycle, messageOf } from '../core/index.ts'
import { slowQueryFacts } from '../data/index.ts'
import {
  brokerBlocked,
  eventsMissed,
  groupPaused,
  parked,
  replayBegan,
  sagaMissed,
  workFailed,
} from '../events/index.ts'
import {
  adminRequestFailed,
  configFileLoaded,
  configFileRefused,
  configProblem,
  configReloadFailed,
  deliveryFailed,
  pluginStoreUnavailable,
  requestFailed,
  type TargetChanged,
  type TargetState,
  targetChanged,
  upstreamFailed,
} from '../gateway/index.ts'
import { type FailureFact, failureFacts, followFailed } from '../service/index.ts'
import { type Alert, alertChanged } from '../telemetry/index.ts'
import { exportFailed, housekeepingFailed, rejectionUnhandled } from './channels.ts'
import {
  FAILURE_KINDS_MAX,
  FAILURE_WINDOW_MS,
  REQUEST_FAILURES_LOGGED_MAX,
  REQUEST_FAILURES_WINDOW_MS,
  STATEMENT_CHARACTERS_SHOWN,
} from './limits.ts'
import { type LogEntry, traceFields, type WriteEntry } from './log.ts'

/**
 * What goes wrong while an application runs, in the log: the folders publish it as facts, and this is who listens. Of
 * each kind the first is logged at once and the rest as a count every ten seconds. Requests that a service failed on
 * are logged one by one, since their clients were told to look here under the trace id; beyond a rate, as a count too.
 * A database that is away is one kind, whatever meets it, requests included: each line would say the same.
 */

/** Logs failures until it is stopped, and then what was still only counted. */
export function logFailures(write: WriteEntry): Lifecycle['stop'] {
  const limited = limitRepeats(write)
  const requests = limitRepeats(write, REQUEST_FAILURES_LOGGED_MAX)
  const timers = [
    setInterval(limited.flush, FAILURE_WINDOW_MS).unref(),
    setInterval(requests.flush, REQUEST_FAILURES_WINDOW_MS).unref(),
  ]
  const unsubscribes = [
    ...subscribeAll(limited.write),
    ...subscribeToCache(limited.write),
    failureFacts.subscribe((fact) =>
      (lostShardKind(fact.error) === undefined ? requests : limited).write(requestEntry(fact)),
    ),
  ]
  return async () => {
    for (const timer of timers) clearInterval(timer)
    for (const unsubscribe of unsubscribes) unsubscribe()
    limited.flush()
    requests.flush()
  }
}

/**
 * Lets the first entries of each kind through, `linesMax` of them; `flush` writes the last with how many came since,
 * and begins a new window. That line is the first of its window: of a kind that goes on, a window has no more lines
 * than the one before. A kind that was written whole is forgotten, so that its return is news and told at once.
 */
export function limitRepeats(
  write: WriteEntry,
  linesMax = 1,
): { readonly write: WriteEntry; readonly flush: () => void } {
  const counts = new Map<string, { readonly entry: LogEntry; readonly linesLeft: number; readonly repeats: number }>()
  return {
    write(entry) {
      const kind = counts.has(entry.kind) || counts.size < FAILURE_KINDS_MAX ? entry.kind : 'others'
      const { linesLeft, repeats } = counts.get(kind) ?? { linesLeft: linesMax, repeats: 0 }
      if (linesLeft > 0) {
        counts.set(kind, { entry, linesLeft: linesLeft - 1, repeats })
        write(entry)
      } else counts.set(kind, { entry, linesLeft, repeats: repeats + 1 })
    },
    flush() {
      for (const [kind, { entry, repeats }] of counts) {
        if (repeats === 0) {
          counts.delete(kind)
          continue
        }
        counts.set(kind, { entry, linesLeft: linesMax - 1, repeats: 0 })
        const { error: _, ...last } = entry
        write({
          ...last,
          message: `${entry.message} (${repeats} more like it)`,
          fields: { ...entry.fields, repeats },
        })
      }
    },
  }
}

function requestEntry({ method, path, status, traceparent, error }: FailureFact): LogEntry {
  const code = (error as GroundswellError | undefined)?.code
  const place = { ...traceFields(traceparent), method, path, status, code }
  const kind = lostShardKind(error) ?? `request ${code}`
  if (!isRetryable(error)) return { level: 'error', message: 'request failed', kind, fields: place, error }
  return { level: 'warn', message: 'request failed for now', kind, fields: { ...place, reason: messageOf(error) } }
}

function subscribeAll(write: WriteEntry): readonly (() => void)[] {
  return [
    requestFailed.subscribe(({ requestId, traceparent, error }) =>
      write({
        ...planned('the gateway failed on a request', error, `gateway ${codeOf(error)}`),
        fields: { ...traceFields(traceparent), requestId, ...causeOf(error) },
      }),
    ),
    adminRequestFailed.subscribe(({ method, path, error }) =>
      write({
        ...planned('the Admin API failed on a request', error, `admin ${method} ${codeOf(error)}`),
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
    pluginStoreUnavailable.subscribe(({ plugin, error }) =>
      write({
        ...planned(
          'a plugin of the gateway cannot reach its Redis, and requests pass without it',
          error,
          `plugin-store ${plugin}`,
        ),
        level: 'warn',
        fields: { plugin, ...causeOf(error) },
      }),
    ),
    ...subscribeToGateway(write),
    configReloadFailed.subscribe(({ version, error }) =>
      write({
        ...planned(
          'the gateway could not read its configuration again, and goes on with the one it has',
          error,
          `config-reload ${codeOf(error)}`,
        ),
        level: 'warn',
        fields: { version, ...causeOf(error) },
      }),
    ),
    targetChanged.subscribe((change) => write(targetEntry(change))),
    ...subscribeToEvents(write),
    subscribeToSagas(write),
    slowQueryFacts.subscribe(({ shard, text, ms }) => {
      const statement = text.replace(/\s+/g, ' ').trim().slice(0, STATEMENT_CHARACTERS_SHOWN)
      const fields = { shard, ms: Math.round(ms), statement }
      write({ level: 'warn', message: 'a statement was slow', kind: 'slow statement', fields })
    }),
    ...subscribeToRuntime(write),
  ]
}

/** What fails on the way of events to their consumers, and what operators do about it. */
function subscribeToEvents(write: WriteEntry): readonly (() => void)[] {
  return [
    parked.subscribe(({ state, error, thrown, traceparent, parent: _, durationMs: __, ...fact }) =>
      write({
        level: state === 'dead' ? 'error' : 'warn',
        message: state === 'dead' ? 'an event is a dead letter' : 'an event failed and will be tried again',
        kind: `parked ${state} ${fact.group} ${fact.topic}`,
        fields: { ...traceFields(traceparent), ...fact, reason: error },
        ...stackOf(thrown),
      }),
    ),
    workFailed.subscribe(({ shard, part, error, retryInMs }) =>
      write({
        ...planned('event work failed and is repeated', error, `work ${part} ${shard} ${codeOf(error)}`),
        level: 'warn',
        fields: { shard, part, retryInMs: Math.round(retryInMs), ...causeOf(error) },
      }),
    ),
    eventsMissed.subscribe((fact) =>
      write({
        level: 'error',
        message: 'retention dropped events that a consumer group had not processed; it stops until it is moved on',
        kind: `missed ${fact.group} ${fact.topic} ${fact.shard}`,
        fields: fact,
      }),
    ),
    groupPaused.subscribe(({ paused, ...fact }) =>
      write({
        level: 'info',
        message: paused ? 'an operator paused a consumer group' : 'an operator let a consumer group go on',
        kind: `group ${fact.group} ${paused ? 'paused' : 'resumed'}`,
        fields: fact,
      }),
    ),
    brokerBlocked.subscribe(({ blocked, ...fact }) =>
      write({
        level: blocked ? 'warn' : 'info',
        message: blocked ? 'the broker lets nobody publish' : 'the broker lets publishers go on',
        kind: `broker ${blocked ? 'blocked' : 'unblocked'}`,
        fields: fact,
      }),
    ),
    replayBegan.subscribe((fact) =>
      write({
        level: 'info',
        message: 'an operator sent a consumer group to another place of the log',
        kind: `replay ${fact.group} ${fact.topic} ${fact.shard}`,
        fields: fact,
      }),
    ),
  ]
}

function subscribeToSagas(write: WriteEntry): () => void {
  return sagaMissed.subscribe(({ saga, topic, ...fact }) =>
    write({
      level: 'warn',
      message: 'an event answers a saga that was never begun here, and is passed over',
      kind: `saga ${saga} ${topic}`,
      fields: { saga, topic, ...fact },
    }),
  )
}

function subscribeToGateway(write: WriteEntry): readonly (() => void)[] {
  return [
    upstreamFailed.subscribe(({ traceparent, service, code, ...fact }) =>
      write({
        level: 'warn',
        message: 'the gateway got no answer from an upstream',
        kind: `upstream ${service} ${code}`,
        fields: { ...traceFields(traceparent), service, code, ...fact },
      }),
    ),
    deliveryFailed.subscribe(({ name, entries, reason }) =>
      write({
        level: 'warn',
        message: 'a plugin of the gateway lost what it had to deliver',
        kind: `delivery ${name}`,
        fields: { delivery: name, entries, reason },
      }),
    ),
    configFileLoaded.subscribe(({ path, entities, notices }) => {
      write({
        level: 'info',
        message: 'the gateway’s configuration is that of its file',
        kind: `config-file ${path}`,
        fields: { path, entities },
      })
      for (const notice of notices) {
        const message = 'the gateway ignores a part of its configuration file'
        write({ level: 'warn', message, kind: `config-file ${notice}`, fields: { path, reason: notice } })
      }
    }),
    configFileRefused.subscribe(({ path, error }) =>
      write({
        level: 'error',
        message: 'the gateway’s configuration file cannot be used; it goes on with what it has',
        kind: `config-file refused ${path}`,
        fields: { path, reason: messageOf(error) },
      }),
    ),
  ]
}

/** What fails in this folder's own work. */
function subscribeToRuntime(write: WriteEntry): readonly (() => void)[] {
  return [
    alertChanged.subscribe((alert) => write(alertEntry(alert))),
    rejectionUnhandled.subscribe(({ error }) =>
      write({
        level: 'error',
        message: 'nobody waited for a promise that was rejected; this process stops',
        kind: `rejection ${codeOf(error)}`,
        fields: causeOf(error),
        error,
      }),
    ),
    exportFailed.subscribe(({ collector, reason }) =>
      write({
        level: 'warn',
        message: 'the collector does not take spans; they are lost until it does',
        kind: 'export',
        fields: { collector, reason },
      }),
    ),
    housekeepingFailed.subscribe(({ task, error }) =>
      write({
        ...planned('housekeeping failed and is tried again', error, `housekeeping ${task}`),
        level: 'warn',
        fields: { task, ...causeOf(error) },
      }),
    ),
  ]
}

function subscribeToCache(write: WriteEntry): readonly (() => void)[] {
  return [
    levelChanged.subscribe(({ level, state, error }) =>
      write({
        level: 'warn',
        message: `the cache ${state === 'down' ? 'goes on without' : 'is whole again, it has'} ${level}`,
        kind: `cache ${level} ${state}`,
        fields: error === undefined ? {} : causeOf(error),
      }),
    ),
    followFailed.subscribe(({ shard, error }) =>
      write({
        ...planned(
          'invalidations could not be read; while that lasts, nothing of the shard is served from caches',
          error,
          `cache-follow ${shard} ${codeOf(error)}`,
        ),
        level: 'warn',
        fields: { shard, ...causeOf(error) },
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

const TARGET_NEWS: Readonly<Record<TargetState, string>> = {
  healthy: 'a target is healthy again',
  unhealthy: 'a target is unhealthy and gets no requests',
  open: 'a target fails: its circuit breaker keeps requests away',
  'half-open': 'a target is tried again by a few requests',
  closed: 'a target is back: its circuit breaker has closed',
  unresolved: "a target's name does not resolve",
  resolved: "a target's name resolves again",
}

function targetEntry({ state, address, ...place }: TargetChanged): LogEntry {
  const isLoss = state === 'unhealthy' || state === 'open' || state === 'unresolved'
  return {
    level: isLoss ? 'warn' : 'info',
    message: TARGET_NEWS[state],
    kind: `target ${place.upstream} ${place.target} ${address} ${state}`,
    fields: { ...place, ...(address !== '' && { address }), state },
  }
}

/** What may pass by itself is a warning; what nobody planned for has its stack. A shard that is lost is the kind. */
function planned(message: string, error: unknown, ofItsOwn: string): Omit<LogEntry, 'fields'> {
  const level = isRetryable(error) ? 'warn' : 'error'
  const kind = lostShardKind(error) ?? ofItsOwn
  return error instanceof GroundswellError ? { level, message, kind } : { level, message, kind, error }
}

const LOST = new Set(['DATA_UNREACHABLE', 'DATA_CONNECTION_LOST'])

/** The kind of all failures for want of one database, also where another error was made of that; else undefined. */
function lostShardKind(error: unknown): string | undefined {
  if (!(error instanceof GroundswellError) || !error.retryable) return undefined
  if (!LOST.has(error.code)) return lostShardKind(error.cause)
  const { shard } = error.details
  return shard === undefined ? undefined : `lost shard ${shard}`
}

/** Only an error has a stack, and a planned one says enough without. */
function stackOf(error: unknown): Pick<LogEntry, 'error'> {
  return error instanceof Error && !(error instanceof GroundswellError) ? { error } : {}
}

function causeOf(error: unknown): Readonly<Record<string, unknown>> {
  const code = (error as GroundswellError | undefined)?.code
  return { ...(code === undefined ? {} : { code }), reason: messageOf(error) }
}

function codeOf(error: unknown): string {
  return (error as GroundswellError | undefined)?.code ?? (error instanceof Error ? error.name : typeof error)
}
