import assert from 'node:assert/strict'
import { test } from 'node:test'
import { GroundswellError } from '../core/index.ts'
import { parked, workFailed } from '../events/index.ts'
import { configProblem, requestFailed, targetChanged, upstreamFailed } from '../gateway/index.ts'
import { failureFacts, followFailed } from '../service/index.ts'
import { alertChanged } from '../telemetry/index.ts'
import { housekeepingFailed } from './channels.ts'
import { runtimeError } from './errors.ts'
import { limitRepeats, logFailures } from './failures.ts'
import { FAILURE_KINDS_MAX } from './limits.ts'
import { type LogEntry, readableLine } from './log.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

function deadLetter(id: string): void {
  const event = { group: 'email-service', topic: 'order.placed', id, key: '7', attempts: 8, error: 'mail server away' }
  const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`
  parked.publish({ ...event, traceparent, parent: traceparent, durationMs: 1, state: 'dead' })
}

test('failures of every folder are logged, with the trace id and the code where there is one', async () => {
  const entries: LogEntry[] = []
  const stop = logFailures((entry) => entries.push(entry))
  requestFailed.publish({ requestId: 'r1', traceparent: undefined, error: new TypeError('defect') })
  requestFailed.publish({ requestId: 'r2', traceparent: undefined, error: runtimeError('RUNTIME_NOT_RUNNING', 'away') })
  requestFailed.publish({ requestId: 'r3', traceparent: undefined, error: undefined })
  deadLetter('a')
  workFailed.publish({ shard: 2, part: 'sequencer', error: new Error('broke'), retryInMs: 250.7 })
  configProblem.publish({ message: 'plugin jwt is not installed' })
  housekeepingFailed.publish({ task: 'idempotency keys', error: new Error('late') })
  await stop({ deadlineAtMs: 0 })
  deadLetter('after the stop')
  assert.deepEqual(
    entries.map(({ level, message }) => `${level}: ${message}`),
    [
      'error: the gateway failed on a request',
      'warn: the gateway failed on a request',
      'error: the gateway failed on a request',
      'error: an event is a dead letter',
      'warn: event work failed and is repeated',
      'warn: the gateway cannot use a part of its configuration',
      'warn: housekeeping failed and is tried again',
    ],
  )
  assert.equal(entries[0]?.fields.requestId, 'r1')
  assert.ok(entries[0]?.error instanceof TypeError)
  assert.deepEqual([entries[1]?.fields.code, entries[1]?.error], ['RUNTIME_NOT_RUNNING', undefined])
  assert.deepEqual([entries[3]?.fields.trace_id, entries[3]?.fields.reason], [TRACE, 'mail server away'])
})

test('an upstream that does not answer is a line for each service and code, and a count', async () => {
  const entries: LogEntry[] = []
  const stop = logFailures((entry) => entries.push(entry))
  const upstream = '10.0.0.1:80'
  const fact = { service: 'orders', upstream, code: 'ECONNREFUSED', reason: 'connect ECONNREFUSED', status: 502 }
  const traceparent = `00-${TRACE}-00f067aa0ba902b7-01`
  for (const requestId of ['r1', 'r2', 'r3']) upstreamFailed.publish({ ...fact, requestId, traceparent })
  upstreamFailed.publish({ ...fact, requestId: 'r4', traceparent, code: 'UPSTREAM_SILENT', status: 504 })
  upstreamFailed.publish({ ...fact, requestId: 'r5', traceparent, service: 'stock' })
  await stop({ deadlineAtMs: 0 })
  const told = entries.map(({ level, fields }) => [
    level,
    fields.service,
    fields.code,
    fields.requestId,
    fields.repeats,
  ])
  assert.deepEqual(told, [
    ['warn', 'orders', 'ECONNREFUSED', 'r1', undefined],
    ['warn', 'orders', 'UPSTREAM_SILENT', 'r4', undefined],
    ['warn', 'stock', 'ECONNREFUSED', 'r5', undefined],
    ['warn', 'orders', 'ECONNREFUSED', 'r3', 2],
  ])
  const { trace_id, status, reason } = entries[0]?.fields ?? {}
  assert.deepEqual([trace_id, entries[0]?.fields.upstream, status, reason], [TRACE, upstream, 502, fact.reason])
})

test('of an event whose handler threw, the stack is logged once; a planned error has none', async () => {
  const entries: LogEntry[] = []
  const stop = logFailures((entry) => entries.push(entry))
  const [bug, planned] = [new TypeError('no such property'), runtimeError('RUNTIME_NOT_RUNNING', 'away')]
  for (const [topic, thrown] of Object.entries({ 'a.bug': bug, 'a.plan': planned, 'a.nothing': undefined })) {
    const event = { group: 'mail', topic, id: 'e', key: '7', error: String(thrown), traceparent: '', parent: '' }
    for (const attempts of [1, 2]) parked.publish({ ...event, durationMs: 1, state: 'retrying', attempts, thrown })
  }
  await stop({ deadlineAtMs: 0 })
  const logged = (topic: string) => entries.filter(({ fields }) => fields.topic === topic).map(({ error }) => error)
  assert.deepEqual(logged('a.bug'), [bug, undefined])
  assert.deepEqual([...logged('a.plan'), ...logged('a.nothing')], [undefined, undefined, undefined, undefined])
  assert.ok(entries.every(({ fields }) => !('thrown' in fields)))
})

test('the log tells when a target of the gateway goes and when it comes back', async () => {
  const entries: LogEntry[] = []
  const stop = logFailures((entry) => entries.push(entry))
  const place = { upstream: 'orders.internal', target: 'orders:80', address: '10.0.0.1:80' }
  targetChanged.publish({ ...place, state: 'open' })
  targetChanged.publish({ ...place, state: 'closed' })
  targetChanged.publish({ ...place, address: '', state: 'unresolved' })
  await stop({ deadlineAtMs: 0 })
  assert.deepEqual(
    entries.map(({ level, fields }) => [level, fields]),
    [
      ['warn', { ...place, state: 'open' }],
      ['info', { ...place, state: 'closed' }],
      ['warn', { upstream: 'orders.internal', target: 'orders:80', state: 'unresolved' }],
    ],
  )
})

test('an alert is logged when it fires and when it is resolved, with its sentence', async () => {
  const entries: LogEntry[] = []
  const stop = logFailures((entry) => entries.push(entry))
  const alert = {
    id: 'a1',
    rule: 'latency-rise',
    subject: 'POST /orders',
    message: 'P99 of POST /orders rose by 54 %.',
    sinceMs: 1_000,
  } as const
  alertChanged.publish({ ...alert, state: 'firing', resolvedAtMs: undefined })
  alertChanged.publish({ ...alert, state: 'resolved', resolvedAtMs: 2_000 })
  await stop({ deadlineAtMs: 0 })
  assert.deepEqual(
    entries.map(({ level, message, fields }) => [level, message, fields.reason]),
    [
      ['warn', 'an alert fires', alert.message],
      ['info', 'an alert is resolved', alert.message],
    ],
  )
})

test('a flood of one kind is a line and a count, and hides no other kind', async () => {
  const entries: LogEntry[] = []
  const stop = logFailures((entry) => entries.push(entry))
  for (let index = 0; index < 1_000; index++) deadLetter(String(index))
  configProblem.publish({ message: 'plugin jwt is not installed' })
  assert.equal(entries.length, 2)
  await stop({ deadlineAtMs: 0 })
  const last = entries.at(-1)
  assert.equal(last?.message, 'an event is a dead letter (999 more like it)')
  assert.equal(last?.fields.id, '999')
})

test('after a flush lines are written at once again, and kinds without end take bounded memory', () => {
  const messages: string[] = []
  const limited = limitRepeats(({ message }) => messages.push(message))
  const entry = (kind: string): LogEntry => ({ level: 'warn', message: kind, kind, fields: {} })
  for (let index = 0; index < FAILURE_KINDS_MAX * 3; index++) limited.write(entry(`kind ${index}`))
  assert.equal(messages.length, FAILURE_KINDS_MAX + 1)
  limited.flush()
  assert.match(messages.at(-1) ?? '', /\(999 more like it\)/)
  limited.write(entry('kind 0'))
  assert.equal(messages.at(-1), 'kind 0')
  limited.flush()
  assert.equal(messages.at(-1), 'kind 0')
})

test('a kind that goes on is one line a window with its count, and news again after a window without it', () => {
  const messages: string[] = []
  const limited = limitRepeats(({ message }) => messages.push(message))
  const windowOf = (count: number) => {
    messages.length = 0
    for (let index = 0; index < count; index++) limited.write({ level: 'warn', message: 'away', kind: '', fields: {} })
    limited.flush()
    return [...messages]
  }
  assert.deepEqual(windowOf(3), ['away', 'away (2 more like it)'])
  assert.deepEqual(windowOf(3), ['away (3 more like it)'])
  assert.deepEqual(windowOf(1), ['away (1 more like it)'])
  assert.deepEqual(windowOf(0), [])
  assert.deepEqual(windowOf(1), ['away'])
})

test('a limit of several lines a window is kept in every window, its count among them', () => {
  let lines = 0
  const limited = limitRepeats(() => void lines++, 5)
  for (let window = 1; window <= 4; window++) {
    for (let index = 0; index < 100; index++) limited.write({ level: 'warn', message: '', kind: '', fields: {} })
    assert.equal(lines, window * 5)
    limited.flush()
  }
})

function lost(code: string, shard: number): GroundswellError {
  const spec = { status: 503, retryable: true, remedy: '' }
  return new GroundswellError(code, `shard ${shard} is away`, spec, { details: { shard } })
}

test('a database that is away is one line and a count, whatever part, route or code meets it', async () => {
  const entries: LogEntry[] = []
  const stop = logFailures((entry) => entries.push(entry))
  const request = { service: 'order-service', method: 'GET', status: 503, traceparent: '' }
  for (const code of ['DATA_UNREACHABLE', 'DATA_CONNECTION_LOST']) {
    const error = lost(code, 1)
    for (const part of ['sequencer', 'worker', 'timers']) workFailed.publish({ shard: 1, part, error, retryInMs: 9 })
    for (const path of ['/orders', '/stock']) failureFacts.publish({ ...request, path, error })
    followFailed.publish({ shard: 1, error })
    housekeepingFailed.publish({ task: 'event log', error })
    const spec = { status: 503, retryable: true, remedy: '' }
    const scattered = new GroundswellError('DATA_SCATTER_FAILED', 'shard 1 failed', spec, { cause: error })
    failureFacts.publish({ ...request, path: '/all', error: scattered })
  }
  failureFacts.publish({ ...request, path: '/orders', error: lost('DATA_UNREACHABLE', 2) })
  failureFacts.publish({ ...request, path: '/orders', error: lost('DATA_CONFLICT', 1) })
  await stop({ deadlineAtMs: 0 })
  assert.deepEqual(
    entries.map(({ kind, fields }) => [kind, fields.repeats]),
    [
      ['lost shard 1', undefined],
      ['lost shard 2', undefined],
      ['request DATA_CONFLICT', undefined],
      ['lost shard 1', 15],
    ],
  )
})

test('on a terminal a failure is a line that people read', () => {
  const fields = { shard: 1, part: 'sequencer', reason: 'the connection broke' }
  const line = readableLine({ level: 'warn', message: 'event work failed', kind: '', fields })
  assert.match(line, /^\d\d:\d\d:\d\d warn {2}event work failed: the connection broke \(shard=1 part=sequencer\)$/)
})
