import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Behind, LagRates } from './lag-rates.ts'

function lagAt(shard: number, committed: number, end: number): Behind {
  const place = { group: 'email-service', topic: 'order.placed' }
  return { ...place, committed, end, messages: end - committed, oldestAgeSeconds: end > committed ? shard + 1 : 0 }
}

test('between two looks there are rates over all shards; before, there is only how much waits', () => {
  const rates = new LagRates()
  const [first] = rates.samplesOf([lagAt(0, 10, 15), lagAt(1, 100, 100)], 1_000)
  assert.deepEqual(first, {
    topic: 'order.placed',
    group: 'email-service',
    messages: 5,
    seconds: 1,
    writtenPerSecond: 0,
    consumedPerSecond: 0,
  })
  const [second] = rates.samplesOf([lagAt(0, 14, 25), lagAt(1, 104, 120)], 3_000)
  assert.deepEqual(second, { ...first, messages: 27, seconds: 2, writtenPerSecond: 15, consumedPerSecond: 4 })
})

test('a group that goes back for a replay has consumed nothing, and a new one begins without rates', () => {
  const rates = new LagRates()
  rates.samplesOf([lagAt(0, 50, 50)], 1_000)
  const other = { ...lagAt(0, 900, 900), group: 'shipping-service' }
  const [back, fresh] = rates.samplesOf([lagAt(0, 0, 60), other], 2_000)
  assert.deepEqual([back?.messages, back?.writtenPerSecond, back?.consumedPerSecond], [60, 10, 0])
  assert.deepEqual([fresh?.writtenPerSecond, fresh?.consumedPerSecond], [0, 0])
})
