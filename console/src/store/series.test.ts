import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Frame } from '../../../src/telemetry/index.ts'
import { chartData, highest, isGap, lastValue, recentRate, total } from './figures.ts'
import { SeriesStore, seriesName } from './series.ts'

const P95 = seriesName('all', 'p95Ms')
const RATE = seriesName('all', 'perSecond')
const RATES = { writtenPerSecond: 3, consumedPerSecond: 2 }

function frameAt(
  atMs: number,
  changes: Partial<Frame> & { readonly p95Ms?: number; readonly perSecond?: number } = {},
) {
  const { p95Ms, perSecond = 10, ...rest } = changes
  const all = { perSecond, p50Ms: p95Ms, p90Ms: p95Ms, p95Ms, p99Ms: p95Ms }
  const seen = { routes: [], journeys: [], services: [], traffic: [], rejections: [] }
  const nothing = { ...seen, instances: [], lag: [], shards: [] }
  return { atMs, all, ...nothing, ...rest } satisfies Frame
}

function storeOf(frames: readonly Frame[], retentionMs = 3_600_000): SeriesStore {
  const store = new SeriesStore(retentionMs)
  for (const frame of frames) store.append(frame)
  return store
}

test('frames become columns, and a figure that was not there is unknown, not nought', () => {
  const lag = [{ topic: 'order.placed', group: 'email-service', messages: 7, seconds: 1.5, ...RATES }]
  const store = storeOf([frameAt(1_000), frameAt(2_000, { p95Ms: 20, lag })])
  assert.deepEqual(store.times, [1_000, 2_000])
  assert.deepEqual(store.column(P95), [Number.NaN, 20])
  assert.deepEqual(store.column(seriesName('lag', 'order.placed', 'email-service', 'messages')), [Number.NaN, 7])
  assert.deepEqual(store.subjects('lag'), [['order.placed', 'email-service']])
})

test('the gateway’s traffic is columns by subject and by status, and what all services had is the sum', () => {
  const latency = { perSecond: 10, p50Ms: 1, p90Ms: 1, p95Ms: 1, p99Ms: 1 }
  const statuses = { '200': 6, '404': 1, '429': 2, '503': 1 }
  const traffic = [
    { kind: 'service', id: 's1', name: 'order-service', ...latency, statuses },
    { kind: 'service', id: '', name: '', ...latency, statuses: { '404': 10 } },
    { kind: 'consumer', id: 'bob', name: '', ...latency, statuses },
  ] as const
  const store = storeOf([frameAt(1_000, { traffic, rejections: [{ plugin: 'p1', perSecond: 2 }] })])
  assert.deepEqual(store.column(seriesName('traffic', 'service', 's1', 'refused')), [3])
  assert.deepEqual(store.column(seriesName('traffic', 'service', 's1', 'failed')), [1])
  assert.deepEqual(store.subjects('at-gateway'), [['order-service']])
  assert.deepEqual(store.subjects(seriesName('status', 'consumer', 'bob')), [['200'], ['404'], ['429'], ['503']])
  assert.deepEqual(store.column(seriesName('status', 'all', '', '404', 'perSecond')), [11])
  assert.deepEqual(store.column(seriesName('rejection', 'p1', 'perSecond')), [2])
})

test('a frame that came before, or comes again, is left out', () => {
  const store = storeOf([frameAt(2_000)])
  assert.equal(store.append(frameAt(2_000)), false)
  assert.equal(store.append(frameAt(1_000)), false)
  assert.equal(store.append(frameAt(3_000)), true)
  assert.deepEqual(store.times, [2_000, 3_000])
})

test('what is older than the retention goes, with figures that then have no value', () => {
  const lag = [{ topic: 'old', group: 'gone', messages: 1, seconds: 1, ...RATES }]
  const frames = Array.from({ length: 300 }, (_, second) => frameAt((second + 1) * 1000, second === 0 ? { lag } : {}))
  const store = storeOf(frames, 60_000)
  assert.ok(store.times.length <= 120, `${store.times.length} samples are kept`)
  assert.equal(store.times.at(-1), 300_000)
  assert.equal(store.column(RATE).length, store.times.length)
  assert.deepEqual(store.subjects('lag'), [])
})

test('figures of a range are of its samples only', () => {
  const frames = [5, 50, 20, 30].map((p95Ms, index) => frameAt((index + 1) * 1000, { p95Ms, perSecond: p95Ms }))
  const store = storeOf(frames)
  const range = { fromMs: 2_000, toMs: 4_000 }
  assert.equal(highest(store, P95, range), 30)
  assert.equal(highest(store, P95, { fromMs: 0, toMs: 4_000 }), 50)
  assert.equal(total(store, P95, range), 50)
  assert.equal(lastValue(store, P95, { toMs: 3_500 }), 20)
  assert.equal(lastValue(store, P95, { toMs: 40_000 }), undefined, 'what was long ago is not how things are')
  assert.equal(recentRate(store, RATE, range), (5 + 50 + 20 + 30) / 4)
})

test('a coarse sample counts for the ten seconds it stands for', () => {
  const store = storeOf([10_000, 20_000, 30_000, 31_000].map((atMs) => frameAt(atMs, { perSecond: 5 })))
  assert.equal(total(store, RATE, { fromMs: 10_000, toMs: 31_000 }), 5 * 21)
})

test('missing samples are a gap, and the change from coarse to fine ones is none', () => {
  const coarseThenFine = [10_000, 20_000, 30_000, 31_000, 32_000]
  assert.deepEqual(
    coarseThenFine.filter((_, index) => isGap(coarseThenFine, index)),
    [],
  )
  const withPause = [30_000, 31_000, 32_000, 45_000, 46_000]
  assert.deepEqual(
    withPause.filter((_, index) => isGap(withPause, index)),
    [45_000],
  )
})

test('a chart gets a null between samples with a gap, so that its line breaks there', () => {
  const store = storeOf([1_000, 2_000, 3_000, 20_000, 21_000].map((atMs) => frameAt(atMs, { p95Ms: atMs })))
  const [times, values] = chartData(store, [P95], { fromMs: 0, toMs: 30_000 })
  assert.deepEqual(times, [1_000, 2_000, 3_000, 3_001, 20_000, 21_000])
  assert.deepEqual(values, [1_000, 2_000, 3_000, null, 20_000, 21_000])
})
