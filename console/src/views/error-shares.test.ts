import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Frame } from '../../../src/telemetry/index.ts'
import { SeriesStore } from '../store/series.ts'
import { errorShares } from './error-shares.ts'

const NO_LATENCY = { p50Ms: undefined, p90Ms: undefined, p95Ms: undefined, p99Ms: undefined }
const RANGE = { fromMs: 0, toMs: 60_000 }

/** One service through a minute: what it reports of itself, and what the gateway answered for it. */
function sharesOf(reported: number | undefined, failed: number) {
  const series = new SeriesStore(600_000)
  const service = 'order-service'
  const services =
    reported === undefined
      ? []
      : [
          {
            service,
            ...{ requestsPerSecond: 10, eventsPerSecond: 0 },
            ...{ httpErrors: reported, applicationErrors: 0, databaseErrors: 0 },
          },
        ]
  const traffic = { kind: 'service', id: 's1', name: service, perSecond: 10, ...NO_LATENCY } as const
  const nothing = { routes: [], journeys: [], rejections: [], instances: [], lag: [], shards: [] }
  for (let second = 1; second <= 60; second++) {
    const statuses = { '200': 10 - failed, '502': failed }
    const all = { perSecond: 10, ...NO_LATENCY }
    const frame: Frame = { ...nothing, atMs: second * 1_000, all, services, traffic: [{ ...traffic, statuses }] }
    series.append(frame)
  }
  return errorShares(series, RANGE).map(({ label, value, detail }) => [label, Math.round(value / 60), detail])
}

test('a service that is dead has the errors that the gateway answered for it', () => {
  const [[label, perSecond, detail] = []] = sharesOf(undefined, 10)
  assert.deepEqual([label, perSecond], ['order-service', 10])
  assert.match(String(detail), /^100.*% · HTTP$/)
})

test('an error that both the service and the gateway counted is one', () => {
  const [[, perSecond, detail] = [], ...others] = sharesOf(2, 2)
  assert.equal(perSecond, 2)
  assert.match(String(detail), /^20.*% · HTTP$/)
  assert.deepEqual(others, [])
})
