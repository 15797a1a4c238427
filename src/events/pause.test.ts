import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FAILURE_BACKOFF_MS_MAX } from './limits.ts'
import { backoffMs } from './pause.ts'

test('a pause after failures is never longer than its maximum, and no two are the same', () => {
  const pauses = Array.from({ length: 1_000 }, (_, failures) => backoffMs(failures))
  assert.ok(Math.max(...pauses) <= FAILURE_BACKOFF_MS_MAX, `${Math.max(...pauses)} ms`)
  assert.equal(new Set(pauses).size, pauses.length)
})
