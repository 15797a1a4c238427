import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from './until.ts'

test('until answers with the first truthy value of its condition', async () => {
  let calls = 0
  assert.equal(
    await until(async () => {
      calls += 1
      return calls < 3 ? undefined : 'there'
    }),
    'there',
  )
  assert.equal(calls, 3)
})

test('until gives up saying what did not happen', async () => {
  await assert.rejects(
    until(() => false, { timeoutMs: 1, what: 'the impossible' }),
    /the impossible/,
  )
})

test('until rejects with the error of its condition', async () => {
  const broken = () => {
    throw new Error('broken condition')
  }
  await assert.rejects(until(broken), /broken condition/)
})
