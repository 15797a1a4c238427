import assert from 'node:assert/strict'
import { test } from 'node:test'
import { cacheControlOf, secondsOf } from './cache-control.ts'

const secondsIn = (header: string) => secondsOf(cacheControlOf(header), 'max-age')

test('seconds are read with and without quotes, and only where they are a number', () => {
  assert.deepEqual(['max-age=5', 'public, MAX-AGE="7"'].map(secondsIn), [5, 7])
  assert.deepEqual(['max-age', 'max-age=-1', 'max-age=1.5', 'no-cache'].map(secondsIn), Array(4).fill(undefined))
})

test('more seconds than a store can count are as many as it can', () => {
  assert.equal(secondsIn(`max-age=${'9'.repeat(30)}`), 2 ** 31)
  assert.equal(secondsIn(`max-age=${'9'.repeat(400)}`), 2 ** 31)
})
