import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { requestFinished } from '../gateway/index.ts'
import { logAccess } from './access-log.ts'
import { LOG_BYTES_MAX, REQUEST_FAILURES_LOGGED_MAX } from './limits.ts'
import { type LogEntry, openLog } from './log.ts'

/** In a process of its own, since the log is stderr: says when its event loop has come through all turns. */
const SCRIPT = `
  import { failureFacts } from '${new URL('../service/index.ts', import.meta.url).href}'
  import { logFailures } from '${new URL('./failures.ts', import.meta.url).href}'
  import { openLog } from '${new URL('./log.ts', import.meta.url).href}'
  logFailures(openLog('info'))
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  let turns = 0
  const timer = setInterval(() => {
    for (let index = 0; index < 50; index++) {
      const error = Object.assign(new Error('x'.repeat(2_000)), { code: 'CODE_' + process.argv[1].repeat(turns % 40) })
      failureFacts.publish({ method: 'GET', path: '/', status: 500, traceparent, error })
    }
    if (++turns < 130) return
    clearInterval(timer)
    console.log('through')
  }, 10)
`

async function run(t: TestContext, letter: string, reading: 'at once' | 'at the end') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, letter])
  t.after(() => child.kill('SIGKILL'))
  let log = ''
  const read = () => child.stderr.on('data', (chunk) => (log += chunk))
  if (reading === 'at once') read()
  await once(child.stdout, 'data', { signal: t.signal })
  if (reading === 'at the end') read()
  await once(child, 'close', { signal: t.signal })
  return { lines: log.trim().split('\n'), bytes: log.length }
}

const WITHIN = { timeout: 30_000 }

test('of one code few lines a second are logged, and how many were left out', WITHIN, async (t) => {
  const { lines } = await run(t, '', 'at once')
  type Line = { code: string; trace_id: string; span_id: string; repeats?: number; err?: { message: string } }
  const parsed = lines.map((line) => JSON.parse(line) as Line)
  const counts = parsed.filter(({ repeats }) => repeats !== undefined)
  const logged = parsed.length - counts.length
  assert.ok(logged <= (counts.length + 1) * REQUEST_FAILURES_LOGGED_MAX, `${logged} lines`)
  assert.ok(counts.length > 0 && counts.every(({ code, repeats = 0 }) => code === 'CODE_' && repeats > 0))
  assert.equal(parsed[0]?.err?.message.length, 2_000)
  assert.ok(parsed.every(({ trace_id }) => trace_id === '4bf92f3577b34da6a3ce929d0e0e4736'))
  assert.ok(parsed.every(({ span_id }) => span_id === '00f067aa0ba902b7'))
})

test('a reader of stderr that pauses stops no request, and the log that waits for it is bounded', WITHIN, async (t) => {
  // That this process gets through all its turns, before anybody reads, is what the test is about.
  const { lines, bytes } = await run(t, 'x', 'at the end')
  assert.ok(bytes < LOG_BYTES_MAX + 1_048_576, `${bytes} bytes`)
  for (const line of lines) assert.doesNotThrow(() => JSON.parse(line), 'a line is whole')
})

test('a level leaves out what is below it, and silence everything', () => {
  const levels: string[] = []
  const entry = (level: LogEntry['level']): LogEntry => ({ level, message: level, kind: '', fields: {} })
  for (const least of ['info', 'warn', 'error', 'silent'] as const) {
    const write = openLog(least, ({ level }) => levels.push(level))
    for (const level of ['info', 'warn', 'error'] as const) write(entry(level))
  }
  assert.deepEqual(levels, ['info', 'warn', 'error', 'warn', 'error', 'error'])
})

test('the access log says of each request who asked for what, how it ended, and under which trace', () => {
  const entries: LogEntry[] = []
  const end = logAccess((entry) => entries.push(entry))
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00'
  const fact = {
    method: 'GET',
    route: 'id',
    service: 'id',
    serviceName: 'order-service',
    consumer: undefined,
    plugin: undefined,
    parentSpanId: undefined,
    bytesIn: 9,
    bytes: 321,
  }
  requestFinished.publish({
    ...fact,
    routeName: 'order-service.get-orders',
    status: 200,
    totalMs: 1.23456,
    upstreamMs: undefined,
    requestId: 'r',
    traceparent,
  })
  end()
  assert.deepEqual(entries[0]?.fields, {
    trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    span_id: '00f067aa0ba902b7',
    request_id: 'r',
    method: 'GET',
    route: 'order-service.get-orders',
    consumer: undefined,
    status: 200,
    ms: 1.235,
    upstreamMs: undefined,
    bytes: 321,
  })
})
