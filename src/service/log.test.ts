import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { LOG_BYTES_MAX, LOG_LINES_PER_SECOND_MAX } from './limits.ts'

/** In a process of its own, since the log is stderr: says when its event loop has come through all turns. */
const SCRIPT = `
  import { reportFailure } from '${new URL('./log.ts', import.meta.url).href}'
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  let turns = 0
  const timer = setInterval(() => {
    for (let index = 0; index < 50; index++) {
      const error = Object.assign(new Error('x'.repeat(2_000)), { code: 'CODE_' + process.argv[1].repeat(turns % 40) })
      reportFailure({ method: 'GET', path: '/', status: 500, traceparent, error })
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
  const parsed = lines.map((line) => JSON.parse(line) as { code: string; leftOut?: number; err?: { message: string } })
  const counts = parsed.filter(({ leftOut }) => leftOut !== undefined)
  const logged = parsed.length - counts.length
  assert.ok(logged <= (counts.length + 1) * LOG_LINES_PER_SECOND_MAX, `${logged} lines`)
  assert.ok(counts.length > 0 && counts.every(({ code, leftOut = 0 }) => code === 'CODE_' && leftOut > 0))
  assert.equal(parsed[0]?.err?.message.length, 2_000)
})

test('a reader of stderr that pauses stops no request, and the log that waits for it is bounded', WITHIN, async (t) => {
  // That this process gets through all its turns, before anybody reads, is what the test is about.
  const { lines, bytes } = await run(t, 'x', 'at the end')
  assert.ok(bytes < LOG_BYTES_MAX + 1_048_576, `${bytes} bytes`)
  for (const line of lines) assert.doesNotThrow(() => JSON.parse(line), 'a line is whole')
})
