import assert from 'node:assert/strict'
import { test } from 'node:test'
import { StartedParts } from './started-parts.ts'

test('the time that a part has reserved is not for those that stop before it', async () => {
  const started = new StartedParts()
  const deadlines = new Map<string, number>()
  const part = (name: string, reservedMs?: number) =>
    started.push(name, async ({ deadlineAtMs }) => void deadlines.set(name, deadlineAtMs), reservedMs)
  part('databases', 5_000)
  part('connections', 1_000)
  part('services')
  part('gateway')
  await started.stop()
  const last = deadlines.get('databases') ?? 0
  const earlier = ['connections', 'services', 'gateway'].map((name) => last - (deadlines.get(name) ?? 0))
  assert.deepEqual(earlier, [5_000, 6_000, 6_000])
})

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
