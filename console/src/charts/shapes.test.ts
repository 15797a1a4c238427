import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Frame } from '../../../src/telemetry/index.ts'
import { SeriesStore } from '../store/series.ts'
import { arcPath, slicesOf } from './donut-slices.ts'
import { cellWidth, heatCells } from './heat-cells.ts'
import { sparkPath } from './spark-path.ts'

/** A store with the 95th percentile of each second; a second of undefined had no request. */
function storeOf(values: readonly (number | undefined)[]): SeriesStore {
  const store = new SeriesStore(3_600_000)
  values.forEach((value, index) => {
    const all = { perSecond: 1, p50Ms: value, p90Ms: value, p95Ms: value, p99Ms: value }
    const seen = { routes: [], journeys: [], services: [], traffic: [], rejections: [] }
    const nothing = { ...seen, instances: [], lag: [], shards: [] }
    store.append({ atMs: (index + 1) * 1000, all, ...nothing } satisfies Frame)
  })
  return store
}

test('the service with most errors is red, whatever the order it came in', () => {
  const share = (label: string, value: number) => ({ label, value, detail: '' })
  const slices = slicesOf([share('few', 1), share('most', 6), share('none', 0), share('some', 3)])
  assert.deepEqual(
    slices.map(({ label, color }) => [label, color]),
    [
      ['most', 'red'],
      ['some', 'slice-2'],
      ['few', 'slice-3'],
    ],
  )
  assert.deepEqual(
    slices.flatMap(({ from, to }) => [from, to].map((turn) => turn.toFixed(1))),
    ['0.0', '0.6', '0.6', '0.9', '0.9', '1.0'],
  )
})

test('one service with all errors is a whole ring', () => {
  assert.match(arcPath({ from: 0, to: 1 }), /^M60\.00 6\.00A54 54 0 1 1 59\.9\d 6\.00L/)
})

test('a cell of the heat map has the highest value of its time, and none where there was none', () => {
  const store = storeOf([10, 95, 20, undefined, undefined, undefined, 30])
  const cells = heatCells(store, 'all|p95Ms', { fromMs: 0, toMs: 7_000 }, { widthMs: 2_000 })
  assert.deepEqual(cells, [
    { fromMs: 0, value: 95 },
    { fromMs: 2_000, value: 20 },
    { fromMs: 6_000, value: 30 },
  ])
})

test('cells are as wide as a round time that leaves room for them', () => {
  assert.equal(cellWidth({ fromMs: 0, toMs: 1_800_000 }, 100), 30_000)
  assert.equal(cellWidth({ fromMs: 0, toMs: 300_000 }, 100), 5_000)
})

test('a sparkline breaks where nothing is known', () => {
  const values = Array.from({ length: 60 }, (_, index) => (index >= 20 && index < 40 ? undefined : index))
  const path = sparkPath(storeOf(values), 'all|p95Ms', { fromMs: 0, toMs: 60_000 })
  assert.equal(path.match(/M/g)?.length, 2)
  assert.equal(sparkPath(storeOf([]), 'all|p95Ms', { fromMs: 0, toMs: 60_000 }), '')
})
