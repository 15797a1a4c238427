import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { after, before, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../core/index.ts'
import { createTelemetry, Histogram, type Second } from '../telemetry/index.ts'
import { startTestCluster, type TestCluster, until } from '../testing/index.ts'
import { exchangeOverHome, runtimeMigrations } from './telemetry-exchange.ts'
import { ROUTE, type Samples, samplesOf } from './telemetry-exchange-fixture.ts'

const FIXTURE = fileURLToPath(new URL('./telemetry-exchange-fixture.ts', import.meta.url))

let databases: TestCluster

before(async () => {
  databases = await startTestCluster({ shards: 1, migrations: [runtimeMigrations] })
})
after(() => databases.stop())

function measuringProcess(instance: string, samples: Samples): ChildProcess {
  const args = [FIXTURE, databases.urls[0] ?? '', instance, JSON.stringify(samples)]
  return spawn(process.execPath, args, { stdio: ['pipe', 'inherit', 'inherit'] })
}

async function end(child: ChildProcess): Promise<void> {
  const closed = new Promise((resolve) => child.once('close', resolve))
  child.stdin?.end()
  await closed
}

function nearestRank(sorted: readonly number[], fraction: number): number {
  return sorted[Math.max(1, Math.ceil(fraction * sorted.length)) - 1] ?? 0
}

test('the percentiles of two processes together are those of their samples together, within 1 %', async (t) => {
  const seed = systemClock.now() % 1_000_000
  t.diagnostic(`seed ${seed}`)
  const settings: readonly Samples[] = [
    { seed: seed + 1, count: 5_000, medianMs: 4 },
    { seed: seed + 2, count: 500, medianMs: 300 },
  ]
  const exchange = exchangeOverHome({
    home: databases.cluster.home,
    instance: 'here',
    onState: () => {},
    onLost: () => {},
  })
  const telemetry = createTelemetry({ instance: 'here', services: ['console'], clock: systemClock, exchange })
  const pooled = new Histogram()
  const seconds: Second[] = []
  telemetry.onSecond((second) => {
    seconds.push(second)
    for (const { route, latency } of second.routes) if (route === ROUTE) pooled.add(latency)
  })
  telemetry.start()
  const children = settings.map((samples, index) => measuringProcess(`there-${index}`, samples))
  try {
    const all = settings.flatMap(samplesOf).toSorted((a, b) => a - b)
    await until(() => pooled.count === all.length, { timeoutMs: 60_000, what: 'all samples of both processes' })
    for (const fraction of [0.5, 0.9, 0.95, 0.99]) {
      const exact = nearestRank(all, fraction)
      const merged = pooled.quantile(fraction) / 1_000
      assert.ok(Math.abs(merged - exact) / exact <= 0.01, `P${fraction * 100}: ${merged} for ${exact}, seed ${seed}`)
    }
    const three = seconds.find((second) => second.instances.length === 3)
    assert.ok(three !== undefined, 'a second shows this process and both others')
    assert.ok(three.instances.every(({ memoryBytes }) => memoryBytes > 0))
  } finally {
    await Promise.all(children.map(end))
    await telemetry.stop()
    await exchange.stop({ deadlineAtMs: systemClock.now() + 5_000 })
  }
})

test('messages arrive once, at others only, whatever was there before', async () => {
  const home = databases.cluster.home
  const [left, right] = ['left', 'right'].map((instance) =>
    exchangeOverHome({ home, instance, onState: () => {}, onLost: () => {} }),
  )
  if (left === undefined || right === undefined) throw new Error('two exchanges were asked for')
  const heard: string[] = []
  const listenTo = (name: string) => (kind: string, payload: Uint8Array) =>
    void heard.push(`${name} ${kind} ${Buffer.from(payload)}`)
  try {
    left.publish('spans', Buffer.from('before'))
    await until(async () => (await home.query(`SELECT 1 FROM groundswell.telemetry_exchange`)).length > 0)
    left.receive(listenTo('left'))
    right.receive(listenTo('right'))
    await until(
      () => {
        left.publish('spans', Buffer.from('hello'))
        return heard.length > 0
      },
      { what: 'a message' },
    )
    left.publish('second', Buffer.from('last'))
    await until(() => heard.includes('right second last'), { what: 'the last message' })
    assert.equal(heard.filter((line) => line === 'right second last').length, 1)
    assert.ok(heard.every((line) => line.startsWith('right ') && !line.endsWith('before')))
  } finally {
    await Promise.all([left, right].map((exchange) => exchange.stop({ deadlineAtMs: 0 })))
  }
})

test('a database that refuses loses messages, says so, and recovers', async () => {
  const home = databases.cluster.home
  const states: (string | undefined)[] = []
  let lost = 0
  const exchange = exchangeOverHome({
    home,
    instance: 'here',
    onState: (reason) => states.push(reason),
    onLost: () => {
      lost += 1
    },
  })
  try {
    await home.query('ALTER TABLE groundswell.telemetry_exchange RENAME TO elsewhere')
    for (let n = 0; n < 50; n++) exchange.publish('second', Buffer.from('gone'))
    await until(() => lost === 50, { what: 'all of them lost' })
    assert.match(states.at(-1) ?? '', /telemetry_exchange/)
    await home.query('ALTER TABLE groundswell.elsewhere RENAME TO telemetry_exchange')
    exchange.publish('second', Buffer.from('back'))
    await until(() => states.at(-1) === undefined, { what: 'recovery' })
    assert.equal(lost, 50)
  } finally {
    await exchange.stop({ deadlineAtMs: 0 })
  }
})
