import type { TestEvent } from 'node:test/reporters'

/**
 * Makes skipped tests visible. A test that needs an engine this machine does not have may skip itself and say why; with
 * `CI` set every engine must be there, so a skipped test fails the run.
 */
export default async function* skips(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const skipped: string[] = []
  for await (const event of events) {
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue
    const { skip, name, file } = event.data
    if (skip === undefined || skip === false) continue
    skipped.push(`${file ?? ''}: ${name}${typeof skip === 'string' ? ` (${skip})` : ''}`)
  }
  if (skipped.length === 0) return
  const inCi = process.env.CI !== undefined && process.env.CI !== '' && process.env.CI !== 'false'
  if (inCi) process.exitCode = 1
  yield `\n${skipped.length} test(s) skipped${inCi ? ', which CI does not allow' : ''}:\n- ${skipped.join('\n- ')}\n`
}
