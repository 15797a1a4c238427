import assert from 'node:assert/strict'
import { test } from 'node:test'
import { frameOf } from './frame.ts'
import { TRAFFIC_SUBJECTS_MAX } from './limits.ts'
import { mergeProcesses } from './merge.ts'
import type { Second } from './second.ts'
import { TrafficMeter } from './traffic.ts'

const fine = { status: 200, totalMs: 4 }

function secondOf(meter: TrafficMeter): Second {
  const lists = { routes: [], journeys: [], services: [], shards: [], instances: [], lag: [], degradations: [] }
  return { atMs: 1_800_000_000_000, all: undefined, ...lists, ...meter.seal() }
}

test('traffic of several processes adds up by subject and status, and so do rejections', () => {
  const [one, other] = [new TrafficMeter(), new TrafficMeter()]
  for (let n = 0; n < 9; n++) one.record('route', 'orders', { status: 200, totalMs: 10 })
  other.record('route', 'orders', { status: 429, totalMs: 10 })
  other.record('consumer', 'bob', fine)
  one.rejected('limit')
  other.rejected('limit')
  const { traffic, rejections } = frameOf(mergeProcesses([secondOf(one), secondOf(other)]), 2)
  const [orders] = traffic
  assert.deepEqual([orders?.kind, orders?.id, orders?.perSecond], ['route', 'orders', 5])
  assert.deepEqual(orders?.statuses, { '200': 4.5, '429': 0.5 })
  assert.ok(Math.abs((orders?.p99Ms ?? 0) - 10) < 0.2, `P99 is ${orders?.p99Ms}`)
  assert.deepEqual([traffic[1]?.kind, traffic[1]?.id], ['consumer', 'bob'])
  assert.deepEqual(rejections, [{ plugin: 'limit', perSecond: 1 }])
})

test('a second counts only what came in it', () => {
  const meter = new TrafficMeter()
  meter.record('service', 'a', fine)
  meter.rejected('limit')
  meter.seal()
  assert.deepEqual(meter.seal(), { traffic: [], rejections: [] })
})

test('a service is called as it was called last, and so in what processes told together', () => {
  const [one, other] = [new TrafficMeter(), new TrafficMeter()]
  one.record('service', 'a', { ...fine, serviceName: 'orders' })
  one.record('service', 'a', { ...fine, serviceName: 'order-service' })
  other.record('service', 'a', fine)
  const { traffic } = mergeProcesses([secondOf(one), secondOf(other)])
  assert.deepEqual(
    traffic.map(({ id, name, statuses }) => ({ id, name, statuses })),
    [{ id: 'a', name: 'order-service', statuses: { '200': 3 } }],
  )
})

test('consumers beyond the limit share one entry, until those who are idle make room', () => {
  const meter = new TrafficMeter()
  for (let n = 0; n < TRAFFIC_SUBJECTS_MAX + 20; n++) meter.record('consumer', `consumer-${n}`, fine)
  const full = meter.seal().traffic
  assert.equal(full.length, TRAFFIC_SUBJECTS_MAX + 1)
  assert.deepEqual([full.at(-1)?.id, full.at(-1)?.statuses], ['__overflow__', { '200': 20 }])
  meter.seal()
  meter.record('consumer', 'newcomer', fine)
  assert.deepEqual(
    meter.seal().traffic.map(({ id }) => id),
    ['newcomer'],
  )
})
