import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bucketOfId, newId, timeOfId } from './id.ts'
import { BUCKET_COUNT } from './limits.ts'

test('an id is a UUIDv7 that carries its time', () => {
  const nowMs = Date.now() + 60_000
  const id = newId(undefined, nowMs)
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  assert.equal(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16), nowMs)
  assert.equal(timeOfId(id), nowMs)
  assert.equal(timeOfId('not an id'), undefined)
})

test('an id carries every bucket there is', () => {
  for (let bucket = 0; bucket < BUCKET_COUNT; bucket++) assert.equal(bucketOfId(newId(bucket)), bucket)
})

test('an id without a bucket, and what is no id, have none', () => {
  assert.equal(bucketOfId(newId()), undefined)
  assert.equal(bucketOfId('not an id'), undefined)
  assert.equal(bucketOfId('00000000-0000-4000-8000-000000000000'), undefined)
})

test('ids of one process increase, also within a millisecond and when the clock goes back', () => {
  const startMs = Date.now() + 120_000
  const ids = Array.from({ length: 20_000 }, (_, index) => newId(index % BUCKET_COUNT, startMs - (index % 3)))
  assert.deepEqual(ids, ids.toSorted())
  assert.equal(new Set(ids).size, ids.length)
})
