import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../testing/index.ts'
import { housekeepingFailed } from './channels.ts'
import { keepHouse } from './housekeeping.ts'

test('housekeeping runs after the start and again, publishes a failure, and stops after the round under way', async () => {
  const failures: string[] = []
  const unsubscribe = housekeepingFailed.subscribe(({ task, error }) => failures.push(`${task}: ${error}`))
  const alive = setInterval(() => undefined, 1_000)
  let rounds = 0
  const stop = keepHouse(
    'keys',
    async () => {
      rounds += 1
      if (rounds === 1) throw new Error('the database is away')
    },
    { delayMs: 1, intervalMs: 1 },
  )
  try {
    await until(() => rounds >= 3, { what: 'three rounds' })
    await stop({ deadlineAtMs: Date.now() })
    assert.deepEqual(failures, ['keys: Error: the database is away'])
  } finally {
    clearInterval(alive)
    unsubscribe()
  }
})
