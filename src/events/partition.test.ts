import assert from 'node:assert/strict'
import { test } from 'node:test'
import { murmur2, partitionOf } from './partition.ts'

/** Key, hash, and partition of 12, as printed by org.apache.kafka.common.utils.Utils of kafka-clients 4.1.1. */
const AS_IN_JAVA: readonly (readonly [string, number, number])[] = [
  ['', 275646681, 9],
  ['1', -1993445489, 3],
  ['12', 126087238, 10],
  ['123', -267702483, 5],
  ['1234', -1614185708, 0],
  ['12345', -1188365604, 8],
  ['54321', -1778804576, 0],
  ['21', -973932308, 0],
  ['foobar', -790332482, 6],
  ['a-little-bit-long-string', -985981536, 8],
  ['a-little-bit-longer-string', -1486304829, 11],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971, 5],
  ['naïve-ключ-鍵', 354502992, 0],
]

test('a key goes to the partition that Kafka’s Java client would choose', () => {
  for (const [key, hash, partition] of AS_IN_JAVA) {
    assert.equal(murmur2(Buffer.from(key)), hash, key)
    assert.equal(partitionOf(key, 12), partition, key)
  }
})
