import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SERIES_MAX } from '../limits.ts'
import { createMetrics } from './catalog.ts'
import { exposition, metricsPage } from './exposition.ts'

async function textOf(page: ReturnType<typeof metricsPage>): Promise<string> {
  let text = ''
  for await (const piece of page.read()) text += piece
  return text
}

test('a histogram is told in seconds, buckets cumulative, with count and sum', () => {
  const metrics = createMetrics()
  const series = metrics.httpServerRequestDuration.series('order-service', 'POST', '/orders', 202)
  for (const ms of [3, 7, 7, 30_000]) series.record(ms)
  const text = [...exposition(metrics)].join('')
  const labels =
    'service_name="order-service",http_request_method="POST",http_route="/orders",http_response_status_code="202"'
  const name = 'http_server_request_duration_seconds'
  assert.match(text, new RegExp(`^# TYPE ${name} histogram$`, 'm'))
  for (const line of [
    `${name}_bucket{${labels},le="0.005"} 1`,
    `${name}_bucket{${labels},le="0.01"} 3`,
    `${name}_bucket{${labels},le="10"} 3`,
    `${name}_bucket{${labels},le="+Inf"} 4`,
    `${name}_sum{${labels}} 30.017`,
    `${name}_count{${labels}} 4`,
  ]) {
    assert.ok(text.split('\n').includes(line), line)
  }
})

test('quotes, backslashes and line breaks in a label are escaped', () => {
  const metrics = createMetrics()
  metrics.degraded.series('a "b" \\ c\nd').set(1)
  assert.ok([...exposition(metrics)].join('').includes('groundswell_degraded{part="a \\"b\\" \\\\ c\\nd"} 1\n'))
})

test('series beyond the limit share one, no count is lost, and the page says so', async () => {
  const metrics = createMetrics()
  const total = 100_000
  for (let n = 0; n < total; n++) metrics.eventsDelivered.series(`group-${n}`).add()
  const text = await textOf(metricsPage(metrics))
  const counts = [...text.matchAll(/^groundswell_events_delivered_total\{.*\} (\d+)$/gm)].map(([, count]) =>
    Number(count),
  )
  assert.equal(counts.length, SERIES_MAX + 1)
  assert.equal(
    counts.reduce((sum, count) => sum + count, 0),
    total,
  )
  assert.match(text, /^groundswell_telemetry_overflowing\{metric="groundswell_events_delivered_total"\} 1$/m)
})

test('a long page comes in small pieces, with other work in between', async () => {
  const metrics = createMetrics()
  for (let n = 0; n < SERIES_MAX; n++)
    metrics.httpServerRequestDuration.series('s', 'GET', `/route-${n}`, 200).record(1)
  let turns = 0
  const spin = () => {
    turns += 1
    handle = setImmediate(spin)
  }
  let handle = setImmediate(spin)
  let pieces = 0
  for await (const piece of metricsPage(metrics).read()) {
    pieces += 1
    assert.ok(piece.length < 40_000, `a piece of ${piece.length} characters`)
  }
  clearImmediate(handle)
  assert.ok(pieces > 50, `${pieces} pieces`)
  assert.ok(turns >= pieces - 1, `${turns} turns of the event loop for ${pieces} pieces`)
})
