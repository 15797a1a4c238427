import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { test } from 'node:test'
import { LOG_BYTES_MAX, LOG_LINES_PER_SECOND_MAX } from './limits.ts'

/** In a process of its own, since the log is stderr: prints how long a turn of its event loop took at the most. */
const SCRIPT = `
  import { reportFailure } from '${new URL('./log.ts', import.meta.url).href}'
  const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
  let slowestMs = 0
  let before = performance.now()
  let turns = 0
  const timer = setInterval(() => {
    slowestMs = Math.max(slowestMs, performance.now() - before)
    before = performance.now()
    for (let index = 0; index < 50; index++) {
      const error = Object.assign(new Error('x'.repeat(2_000)), { code: 'CODE_' + process.argv[1].repeat(turns % 40) })
      reportFailure({ method: 'GET', path: '/', status: 500, traceparent, error })
    }
    if (++turns < 130) return
    clearInterval(timer)
    console.log(slowestMs)
  }, 10)
`

async function run(letter: string, reading: 'at once' | 'at the end') {
  const child = spawn(process.execPath, ['--input-type=module', '-e', SCRIPT, letter])
  let log = ''
  const read = () => child.stderr.on('data', (chunk) => (log += chunk))
  if (reading === 'at once') read()
  const slowestMs = await new Promise<number>((resolve) => {
    child.stdout.once('data', (chunk) => resolve(Number(`${chunk}`)))
  })
  if (reading === 'at the end') read()
  await new Promise((resolve) => child.once('close', resolve))
  return { slowestMs, lines: log.trim().split('\n'), bytes: log.length }
}

test('of one code few lines a second are logged, and how many were left out', async () => {
  const { lines } = await run('', 'at once')
  const parsed = lines.map((line) => JSON.parse(line) as { code: string; leftOut?: number; err?: { message: string } })
  const counts = parsed.filter(({ leftOut }) => leftOut !== undefined)
  assert.ok(parsed.length - counts.length <= 4 * LOG_LINES_PER_SECOND_MAX, `${parsed.length} lines`)
  assert.ok(counts.length > 0 && counts.every(({ code, leftOut = 0 }) => code === 'CODE_' && leftOut > 0))
  assert.equal(parsed[0]?.err?.message.length, 2_000)
})

test('a reader of stderr that pauses stops no request, and the log that waits for it is bounded', async () => {
  const { slowestMs, lines, bytes } = await run('x', 'at the end')
  assert.ok(slowestMs < 400, `a turn took ${slowestMs} ms`)
  assert.ok(bytes < LOG_BYTES_MAX + 1_048_576, `${bytes} bytes`)
  for (const line of lines) assert.doesNotThrow(() => JSON.parse(line), 'a line is whole')
})
