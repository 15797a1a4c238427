import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createTelemetry, type Exchange, type Frame, Histogram, type Second, type Telemetry } from './index.ts'

/** A clock that only moves when told to. */
function clockAt(startMs: number) {
  let nowMs = startMs
  return {
    now: () => nowMs,
    advance(ms: number) {
      nowMs += ms
    },
  }
}

/** What one process publishes, all others receive at once. */
function exchanges(count: number): readonly Exchange[] {
  const listeners = new Map<number, Parameters<Exchange['receive']>[0]>()
  return Array.from({ length: count }, (_, own) => ({
    publish(kind, payload) {
      for (const [index, listener] of listeners) if (index !== own) listener(kind, payload)
    },
    receive(listener) {
      listeners.set(own, listener)
      return () => void listeners.delete(own)
    },
  }))
}

const START_MS = 1_800_000_000_000
const LAG = {
  topic: 'order.placed',
  group: 'email-service',
  messages: 12,
  seconds: 3.5,
  writtenPerSecond: 40,
  consumedPerSecond: 30,
}

function startedAlone() {
  const clock = clockAt(START_MS + 1)
  const telemetry = createTelemetry({ instance: 'host:1:a', services: ['order-service'], clock })
  const second = () => {
    clock.advance(1_000)
    telemetry.tick()
  }
  return { telemetry, clock, second }
}

test('a second shows what was recorded in it, by route, journey, service and shard', async (t) => {
  const { telemetry, second } = startedAlone()
  t.after(() => telemetry.stop())
  const seconds: Second[] = []
  const frames: Frame[] = []
  telemetry.onSecond((one) => seconds.push(one))
  telemetry.subscribe((frame) => frames.push(frame))
  const route = telemetry.route('order-service', 'POST /orders')
  for (let ms = 1; ms <= 100; ms++) route.record(ms === 100 ? 503 : 202, ms)
  telemetry.gateway.record(202, 5)
  telemetry.journey('order placed to shipped').record(1_500)
  telemetry.service('order-service').delivered({ events: 7, durationMs: 3, ageMs: 40 })
  telemetry.service('order-service').failed('database')
  telemetry.service('email-service').parked('retrying')
  telemetry.shard(2).transaction('failed', 4)
  telemetry.shard(2).statement(1)
  telemetry.beforeSeal(() => telemetry.shard(2).pool({ busy: 3, idle: 1, max: 12, waiting: 9 }))
  telemetry.lag([LAG])
  second()
  const [frame] = frames
  assert.equal(frame?.atMs, START_MS + 1_000)
  const [shown] = frame?.routes ?? []
  assert.deepEqual(
    { service: shown?.service, route: shown?.route },
    { service: 'order-service', route: 'POST /orders' },
  )
  assert.deepEqual({ perSecond: shown?.perSecond, errors: shown?.errors }, { perSecond: 100, errors: 1 })
  assert.ok(Math.abs((shown?.p95Ms ?? 0) - 95) < 1, `P95 is ${shown?.p95Ms}`)
  assert.equal(frame?.all.perSecond, 1)
  assert.equal(frame?.journeys[0]?.p50Ms, 1_500)
  assert.deepEqual(frame?.services, [
    {
      service: 'order-service',
      requestsPerSecond: 100,
      eventsPerSecond: 7,
      httpErrors: 1,
      applicationErrors: 0,
      databaseErrors: 1,
    },
    {
      service: 'email-service',
      requestsPerSecond: 0,
      eventsPerSecond: 0,
      httpErrors: 0,
      applicationErrors: 1,
      databaseErrors: 0,
    },
  ])
  const [shard] = frame?.shards ?? []
  assert.deepEqual(
    { shard: shard?.shard, busy: shard?.connectionsBusy, max: shard?.connectionsMax, waiting: shard?.waiting },
    { shard: 2, busy: 3, max: 12, waiting: 9 },
  )
  assert.deepEqual(frame?.lag, [LAG])
  assert.equal(seconds[0]?.shards[0]?.transactionsFailed, 1)
  second()
  assert.deepEqual(frames[1]?.routes, [], 'the next second is empty')
  assert.equal(frames[1]?.lag.length, 1, 'how far behind a group is stays true until it is asked again')
})

test('the frames of two processes are those of all samples together, and no averages', async (t) => {
  const clock = clockAt(START_MS + 1)
  const [fast, slow] = exchanges(2).map((exchange, index) =>
    createTelemetry({ instance: `host:${index}`, services: [], clock, exchange, collects: index === 0 }),
  )
  if (fast === undefined || slow === undefined) throw new Error('two processes were asked for')
  t.after(() => Promise.all([fast.stop(), slow.stop()]))
  const frames: Frame[] = []
  fast.subscribe((frame) => frames.push(frame))
  const pooled = new Histogram()
  for (let n = 0; n < 3_000; n++) {
    const [telemetry, ms] = n % 3 === 0 ? [slow, 50 + (n % 700)] : [fast, 1 + (n % 20)]
    telemetry.route('order-service', 'GET /orders/:orderId').record(200, ms)
    pooled.record(ms * 1_000)
  }
  for (let second = 0; second < 4; second++) {
    clock.advance(1_000)
    fast.tick()
    slow.tick()
  }
  const route = frames[0]?.routes[0]
  assert.equal(route?.perSecond, 3_000)
  assert.equal(frames[0]?.instances.length, 2)
  for (const [name, fraction] of [
    ['p50Ms', 0.5],
    ['p90Ms', 0.9],
    ['p95Ms', 0.95],
    ['p99Ms', 0.99],
  ] as const) {
    assert.equal(route?.[name], pooled.quantile(fraction) / 1_000, name)
  }
})

test('a second that comes late counts in the next one; one that is far too late is let go and counted', async (t) => {
  const clock = clockAt(START_MS + 1)
  const [here, there] = exchanges(2).map((exchange, index) =>
    createTelemetry({ instance: `host:${index}`, services: [], clock, exchange, collects: index === 0 }),
  )
  if (here === undefined || there === undefined) throw new Error('two processes were asked for')
  t.after(() => Promise.all([here.stop(), there.stop()]))
  const run = (seconds: number) => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1_000)
      here.tick()
    }
  }
  const sendLate = (seconds: number) => {
    there.route('order-service', 'POST /orders').record(202, 5)
    clock.advance(-seconds * 1_000)
    there.tick()
    clock.advance(seconds * 1_000)
  }
  run(50)
  sendLate(40)
  assert.equal(here.metrics.exchangeLost.series().value, 1)
  sendLate(5)
  run(4)
  const seen = here.history(0).filter((frame) => frame.routes.length > 0)
  assert.deepEqual(
    seen.map((frame) => [frame.atMs > START_MS + 45_000, frame.routes[0]?.perSecond]),
    [[true, 1]],
  )
  const times = here.history(0).map((frame) => frame.atMs)
  assert.deepEqual(times, [...new Set(times)].toSorted(), 'each second is shown once, in order')
})

test('history is seconds for five minutes and steps of ten seconds before, each moment once', async (t) => {
  const { telemetry, second } = startedAlone()
  t.after(() => telemetry.stop())
  const route = telemetry.route('order-service', 'POST /orders')
  const SECONDS = 1_000
  for (let n = 0; n < SECONDS; n++) {
    for (let request = 0; request < 10; request++) route.record(202, n === 100 ? 500 : 5)
    second()
  }
  const frames = telemetry.history(0)
  const total = frames.reduce((sum, frame, index) => {
    const before = frames[index - 1]?.atMs ?? START_MS
    return sum + ((frame.routes[0]?.perSecond ?? 0) * (frame.atMs - before)) / 1_000
  }, 0)
  assert.equal(Math.round(total), SECONDS * 10, 'no request is lost and none is shown twice')
  assert.ok(frames.length < SECONDS / 2, `${frames.length} frames`)
  const spike = frames.find((frame) => frame.atMs >= START_MS + 101_000)
  assert.ok((spike?.routes[0]?.p95Ms ?? 0) > 400, 'a spike of one second still shows')
  assert.deepEqual(
    telemetry.history(frames.at(-2)?.atMs ?? 0).map((frame) => frame.atMs),
    [frames.at(-1)?.atMs],
  )
})

test('a degraded part is shown with when that began until it has recovered', async (t) => {
  const { telemetry, clock } = startedAlone()
  t.after(() => telemetry.stop())
  const sinceMs = clock.now()
  telemetry.degraded('cache', 'the second level does not answer')
  clock.advance(5_000)
  telemetry.degraded('cache', 'the second level still does not answer')
  assert.deepEqual(telemetry.degradations(), [
    { part: 'cache', message: 'the second level still does not answer', sinceMs },
  ])
  assert.equal(telemetry.verdict().state, 'degraded')
  telemetry.recovered('cache')
  assert.deepEqual(telemetry.degradations(), [])
  assert.equal(telemetry.verdict().state, 'healthy')
})

test('what is degraded in other processes is shown by part and process, until it or the process is gone', async (t) => {
  const clock = clockAt(START_MS + 1)
  const all = exchanges(3).map((exchange, index) =>
    createTelemetry({ instance: `host:${index}`, services: [], clock, exchange, collects: index === 0 }),
  )
  const [here, one, other] = all
  if (here === undefined || one === undefined || other === undefined) throw new Error('three processes were asked for')
  t.after(() => Promise.all(all.map((telemetry) => telemetry.stop())))
  const run = (seconds: number, processes: readonly Telemetry[]) => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1_000)
      for (const telemetry of processes) telemetry.tick()
    }
  }
  const messages = () => here.degradations().map(({ part, message }) => [part, message])
  const sinceMs = clock.now()
  one.degraded('broker', 'it does not answer.')
  run(4, all)
  assert.deepEqual(here.degradations(), [{ part: 'broker', message: 'it does not answer (in host:1)', sinceMs }])
  assert.equal(here.verdict().state, 'degraded')
  other.degraded('broker', 'it does not answer, either')
  run(4, all)
  assert.deepEqual(messages(), [['broker', 'it does not answer (in host:1 and in 1 more)']])
  here.degraded('broker', 'nor here')
  assert.deepEqual(messages(), [['broker', 'nor here (here and in 2 more)']])
  here.recovered('broker')
  one.recovered('broker')
  run(4, all)
  assert.deepEqual(messages(), [['broker', 'it does not answer, either (in host:2)']])
  run(14, [here, one])
  assert.deepEqual(messages(), [], 'the other process is gone')
})

test('100,000 distinct routes, journeys and services share what is left of the limits', async (t) => {
  const { telemetry, second } = startedAlone()
  t.after(() => telemetry.stop())
  const frames: Frame[] = []
  telemetry.subscribe((frame) => frames.push(frame))
  for (let n = 0; n < 100_000; n++) {
    telemetry.route('order-service', `GET /orders/${n}`).record(200, 1)
    telemetry.journey(`journey ${n}`).record(1)
    telemetry.service(`service-${n}`).delivered({ events: 1, durationMs: 1, ageMs: 1 })
  }
  second()
  const [frame] = frames
  assert.equal(frame?.routes.length, 1_001)
  assert.equal(
    frame?.routes.reduce((sum, route) => sum + route.perSecond, 0),
    100_000,
  )
  assert.ok((frame?.journeys.length ?? 0) <= 501)
  let text = ''
  for await (const piece of telemetry.page.read()) text += piece
  const series = text.split('\n').filter((line) => line.startsWith('http_server_request_duration_seconds_count'))
  assert.ok(series.length <= 2_001, `${series.length} series`)
  assert.match(text, /http_route="__overflow__"/)
})
