import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createSignalPolicy } from './signals.ts'

test('the first signal stops, and the copy of it that npm passes on changes nothing', () => {
  const meaningOf = createSignalPolicy(400)
  assert.equal(meaningOf(1_000), 'stop')
  assert.equal(meaningOf(1_001), 'duplicate')
  assert.equal(meaningOf(1_399), 'duplicate')
})

test('a second Ctrl-C, copied too, is answered once, and a third ends at once', () => {
  const meaningOf = createSignalPolicy(400)
  const meanings = [0, 5, 3_000, 3_005, 3_010, 6_000].map(meaningOf)
  assert.deepEqual(meanings, ['stop', 'duplicate', 'again', 'duplicate', 'duplicate', 'abort'])
})
