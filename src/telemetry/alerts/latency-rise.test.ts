import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Alerts } from './alerts.ts'
import { latenciesOf, normal, randomOf, routesSecond, START_MS, type Traffic } from './traffic-fixture.ts'

/** Simulated traffic at full speed: the rules know no time but that of the seconds they are given. */

const ROUTE = 'POST /orders'

type Simulation = { readonly seed: number; readonly seconds: number; readonly traffic: (second: number) => Traffic }

function simulate({ seed, seconds, traffic }: Simulation, onSecond?: (second: number, alerts: Alerts) => boolean) {
  const random = randomOf(seed)
  const alerts = new Alerts()
  for (let second = 1; second <= seconds; second++) {
    const latency = latenciesOf(traffic(second), 1, random)
    alerts.observe(routesSecond(START_MS + second * 1_000, { [ROUTE]: latency }))
    if (onSecond?.(second, alerts) === false) break
  }
  return alerts.all()
}

/** Seconds from a step until it is alerted, for seeds 1 to `seeds`; undefined where it was not within `limit`. */
function detections(perSecond: number, factor: number, { seeds, limit }: { seeds: number; limit: number }) {
  return Array.from({ length: seeds }, (_, index): number | undefined => {
    // The step falls on any second of a block.
    const step = 900 + (index % 5)
    const traffic = (second: number) => ({ perSecond, factor: second > step ? factor : 1 })
    let detected: number | undefined
    simulate({ seed: index + 1, seconds: step + limit, traffic }, (second, alerts) => {
      if (alerts.all().length > 0) detected = second - step
      return detected === undefined
    })
    return detected
  })
}

const within = (found: readonly (number | undefined)[]) => found.filter((at) => at !== undefined && at > 0).length

test('at 200 requests/s a P99 50 % higher is alerted within 45 s, in 95 of 100 seeds', () => {
  const found = detections(200, 1.5, { seeds: 100, limit: 45 })
  assert.ok(within(found) >= 95, `seeds 1 to 100: ${found.join(' ')}`)
})

test('at 200 requests/s a P99 30 % higher is alerted within 90 s, in 95 of 100 seeds', () => {
  const found = detections(200, 1.3, { seeds: 100, limit: 90 })
  assert.ok(within(found) >= 95, `seeds 1 to 100: ${found.join(' ')}`)
})

test('at 100 requests/s a P99 25 % higher is alerted within 330 s, in 90 of 100 seeds', () => {
  const found = detections(100, 1.25, { seeds: 100, limit: 330 })
  assert.ok(within(found) >= 90, `seeds 1 to 100: ${found.join(' ')}`)
})

test('at 2,000 requests/s a P99 25 % higher is alerted within 30 s, in 9 of 10 seeds', () => {
  const found = detections(2_000, 1.25, { seeds: 10, limit: 30 })
  assert.ok(within(found) >= 9, `seeds 1 to 10: ${found.join(' ')}`)
})

test('a P99 10 % higher is none of its business, in 20 of 20 seeds', () => {
  const found = detections(1_000, 1.1, { seeds: 20, limit: 600 })
  assert.equal(within(found), 0, `seeds 1 to 20: ${found.join(' ')}`)
})

/** A day takes a minute of a processor: `STEADY_HOURS=24 npx node --test src/telemetry/alerts/latency-rise.test.ts`. */
const STEADY_HOURS = Number(process.env.STEADY_HOURS ?? 4)

test(`${STEADY_HOURS} hours of steady traffic on 50 routes of 1 to 500 requests/s raise no alert`, () => {
  const seed = 20_260_105
  const random = randomOf(seed)
  const alerts = new Alerts()
  // Blocks are drawn beforehand and then in random order: 300 of a route hold up to 750,000 requests.
  const routes = Array.from({ length: 50 }, (_, index) => ({
    route: `GET /things-${index}`,
    blocks: Array.from({ length: 300 }, () => latenciesOf({ perSecond: 500 ** (index / 49) }, 5, random)),
  }))
  for (let second = 5; second <= STEADY_HOURS * 3_600; second += 5) {
    const latencies = routes.map(({ route, blocks }) => [route, blocks[Math.floor(random() * blocks.length)]] as const)
    alerts.observe(routesSecond(START_MS + second * 1_000, Object.fromEntries(latencies) as Record<string, Uint8Array>))
  }
  assert.deepEqual(alerts.all(), [], `seed ${seed}`)
})

test('an hour in which the latencies of each second move together raises no alert, in 20 of 20 seeds', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const random = randomOf(-seed)
    const traffic = () => ({ perSecond: 100, factor: Math.exp(0.15 * normal(random)) })
    assert.deepEqual(simulate({ seed, seconds: 3_600, traffic }), [], `seed ${seed}`)
  }
})

test('a stall of three seconds in a quiet hour raises no alert, and 25 seconds of it do', () => {
  const stalled = (length: number) =>
    simulate({
      seed: 7,
      seconds: 3_600,
      traffic: (second) => ({ perSecond: 100, factor: second > 1_802 && second <= 1_802 + length ? 20 : 1 }),
    })
  assert.deepEqual(stalled(3), [])
  assert.equal(stalled(25).length, 1)
})

test('a service that is slow for three seconds every half minute is used to that', () => {
  const traffic = (second: number) => ({ perSecond: 100, factor: second % 30 < 3 ? 4 : 1 })
  assert.deepEqual(simulate({ seed: 11, seconds: 7_200, traffic }), [])
})

test('a daily cycle of three to one, latencies rising with the load, raises at most one alert in a week', () => {
  const seed = 20_260_106
  const random = randomOf(seed)
  const alerts = new Alerts()
  for (let second = 5; second <= 7 * 86_400; second += 5) {
    const day = second / 86_400
    const load = 0.5 - 0.25 * Math.cos(2 * Math.PI * day) * (day % 7 > 5 ? 0.6 : 1)
    const latency = latenciesOf({ perSecond: 100 * load, factor: 1 / (1 - load) }, 5, random)
    alerts.observe(routesSecond(START_MS + second * 1_000, { [ROUTE]: latency }))
  }
  assert.ok(alerts.all().length <= 1, `seed ${seed}: ${alerts.all().map(({ message }) => message)}`)
})

test('a rise that lasts is one alert, which says what rose since when, and is resolved when it is over', () => {
  const states: string[] = []
  const traffic = (second: number) => ({ perSecond: 200, factor: second > 1_200 && second <= 3_000 ? 1.5 : 1 })
  const all = simulate({ seed: 3, seconds: 6_000, traffic }, (second, alerts) => {
    const [alert] = alerts.all()
    const state = alert?.state ?? 'none'
    if (state !== states.at(-1)?.split(' ')[0]) states.push(`${state} ${second}`)
    return true
  })
  assert.equal(all.length, 1)
  const [alert] = all
  assert.match(
    alert?.message ?? '',
    /^P99 of POST \/orders rose by \d\d %, from 1\d\d ms to 2\d\d ms, since 09:\d\d:\d\d UTC \([\d,]+ requests against [\d,]+ before\)\. Back at 1\d\d ms at 09:5\d:\d\d UTC\.$/,
  )
  const [, fired, resolved] = states.map((state) => Number(state.split(' ')[1]))
  assert.ok(fired !== undefined && fired <= 1_245, states.join(', '))
  assert.ok(resolved !== undefined && resolved > 3_000 && resolved <= 3_180, states.join(', '))
  assert.ok(Math.abs((alert?.sinceMs ?? 0) - (START_MS + 1_200_000)) <= 30_000, `since ${alert?.sinceMs}`)
})

test('a new level that stays for an hour counts as usual, and a rise from there is alerted again', () => {
  const traffic = (second: number) => ({ perSecond: 200, factor: second > 7_200 ? 2.5 : second > 1_200 ? 1.5 : 1 })
  const all = simulate({ seed: 5, seconds: 7_500, traffic })
  assert.deepEqual(
    all.map(({ state }) => state),
    ['firing', 'resolved'],
  )
  assert.match(all[1]?.message ?? '', /after an hour, which counts as usual from/)
})

test('an alert of a route without requests for five minutes is resolved', () => {
  const traffic = (second: number) => ({ perSecond: second > 1_400 ? 0 : 200, factor: second > 1_200 ? 2 : 1 })
  const [alert] = simulate({ seed: 9, seconds: 1_800, traffic })
  assert.equal(alert?.state, 'resolved')
  assert.match(alert?.message ?? '', /Nothing was measured in the five minutes/)
})

test('a quiet route of one request a second is alerted when it takes five times as long', () => {
  const traffic = (second: number) => ({ perSecond: 1, factor: second > 3_600 ? 5 : 1 })
  const [alert] = simulate({ seed: 13, seconds: 3_900, traffic })
  assert.equal(alert?.state, 'firing')
})

test('a rise of less than five milliseconds is none', () => {
  const traffic = (second: number) => ({ perSecond: 500, medianMs: 0.3, factor: second > 1_200 ? 2 : 1 })
  assert.deepEqual(simulate({ seed: 15, seconds: 1_800, traffic }), [])
})

test('the same seconds give the same alerts, word for word', () => {
  const simulation = {
    seed: 17,
    seconds: 1_800,
    traffic: (n: number) => ({ perSecond: 150, factor: n > 900 ? 1.4 : 1 }),
  }
  assert.deepEqual(simulate(simulation), simulate(simulation))
})
