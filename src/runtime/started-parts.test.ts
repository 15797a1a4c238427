import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StartedParts } from './started-parts.ts'

test('parts stop in reverse order, once; those that fail keep no other from it and are all named', async () => {
  const started = new StartedParts()
  const stopped: string[] = []
  for (const name of ['databases', 'events', 'gateway']) {
    started.push(name, async () => {
      stopped.push(name)
      if (name !== 'databases') throw new Error(`${name} is stuck`)
    })
  }
  const [first, second] = [started.stop(), started.stop()]
  await assert.rejects(first, {
    code: 'RUNTIME_STOP_FAILED',
    message: /: gateway \(gateway is stuck\), events \(events is stuck\); everything else/,
  })
  await assert.rejects(second, { code: 'RUNTIME_STOP_FAILED' })
  assert.deepEqual(stopped, ['gateway', 'events', 'databases'])
  assert.ok(started.isStopping)
})
