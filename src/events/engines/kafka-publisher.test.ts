import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { BrokerRecord } from '../broker.ts'
import { KAFKA_BATCH_CHARS_MAX } from '../limits.ts'
import { requestsOf } from './kafka-publisher.ts'

function recordOf(partition: number, chars: number): BrokerRecord {
  return { topic: 'test.tick', partition, key: '1', value: 'x'.repeat(chars), headers: {} }
}

test('records are divided so that no batch of a partition is too large, and keep their order', () => {
  const third = Math.floor(KAFKA_BATCH_CHARS_MAX / 3)
  const records = [0, 1, 0, 1, 0, 1, 0].map((partition) => recordOf(partition, third - 1_000))
  const requests = requestsOf(records)
  assert.deepEqual(requests.flat(), records)
  assert.equal(requests.length, 2)
  for (const request of requests) {
    for (const partition of [0, 1]) {
      const batch = request.filter((record) => record.partition === partition)
      const chars = batch.reduce((sum, { value }) => sum + value.length, 0)
      assert.ok(chars <= KAFKA_BATCH_CHARS_MAX, `${chars} characters`)
    }
  }
})

test('a record that is too large by itself is a request’s only one of its partition, for the broker to refuse', () => {
  const requests = requestsOf([recordOf(0, 10), recordOf(0, 2 * KAFKA_BATCH_CHARS_MAX), recordOf(0, 10)])
  assert.deepEqual(
    requests.map((request) => request.length),
    [1, 1, 1],
  )
})
