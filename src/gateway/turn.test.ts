import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defer } from './turn.ts'

test('what is put off runs in order at the end of the turn, and what it puts off in the next', async () => {
  const ran: string[] = []
  const put = (name: string, then?: () => void) =>
    defer({
      runDeferred() {
        ran.push(name)
        then?.()
      },
    })
  put('first', () => put('of the next turn'))
  put('second')
  await Promise.resolve().then(() => ran.push('microtask'))
  assert.deepEqual(ran, ['microtask'])
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(ran, ['microtask', 'first', 'second'])
  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual(ran, ['microtask', 'first', 'second', 'of the next turn'])
})
