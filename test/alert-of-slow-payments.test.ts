import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import orders from '../examples/shop/load/orders.ts'
import { runScenario, until } from '../src/testing/index.ts'
import { type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'

const RATE = 100
/** What the rule must have seen before it knows what is usual, and the first seconds of a cold process besides. */
const USUAL_MS = 90_000
const SLOW_MS = 75_000

let shop: ShopProcess
let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>

before(async () => {
  dataDir = await temporaryDataDir()
  shop = await startShop(dataDir.path)
})

after(async () => {
  shop?.signal('SIGTERM')
  await shop?.exited
  await dataDir.remove()
})

type LoggedAlert = {
  readonly time: number
  readonly state: string
  readonly subject: string
  readonly sinceMs: number
  readonly reason: string
}

/** The log of alerts: JSON lines among what the process wrote. */
function alertsIn(output: string): readonly LoggedAlert[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes('"latency-rise"'))
    .map((line) => JSON.parse(line) as LoggedAlert)
}

/** Orders at a steady rate, one in ten of them with a card whose provider takes a second from order `slowFrom` on. */
function ordersSlowFrom(slowFrom: number, onSlow: () => void) {
  return {
    ...orders,
    request(state: Parameters<typeof orders.request>[0], n: number) {
      const request = orders.request(state, n)
      if (n === slowFrom) onSlow()
      if (n < slowFrom || n % 10 !== 0) return request
      return { ...request, body: String(request.body).replace('tok_visa', 'tok_slow') }
    },
  }
}

test('at 100 orders a second a payment provider that becomes slow raises the alert of the journey', async (t) => {
  const slowFrom = (USUAL_MS / 1_000) * RATE
  let slowAtMs = Number.POSITIVE_INFINITY
  const onSlow = () => {
    slowAtMs = Date.now()
  }
  const raised = new AbortController()
  const load = runScenario(ordersSlowFrom(slowFrom, onSlow), {
    signal: raised.signal,
    url: shop.gateway,
    adminUrl: shop.admin,
    shape: { rate: RATE, durationMs: USUAL_MS + SLOW_MS, arrivals: 'fixed' },
    log: () => {},
  })
  const alert = await until(
    async () => alertsIn(shop.output()).find(({ subject }) => subject === 'order placed to shipped'),
    { timeoutMs: USUAL_MS + SLOW_MS + 30_000 },
  )
  raised.abort()
  const { report } = await load
  assert.deepEqual(report.failures, {})
  assert.equal(alert.state, 'firing')
  assert.ok(alert.time >= slowAtMs, `it fired ${slowAtMs - alert.time} ms too early: ${alert.reason}`)
  t.diagnostic(`it fired ${(alert.time - slowAtMs) / 1_000} s after the switch: ${alert.reason}`)
  assert.match(alert.reason, /^P99 of order placed to shipped rose by [\d,]+ %, from /)
})
