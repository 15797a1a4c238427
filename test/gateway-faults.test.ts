import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { after, before, type TestContext, test } from 'node:test'
import type { PeerCertificate, TLSSocket } from 'node:tls'
import { AUTHORITY, FIRST_CLIENT, SECOND_CLIENT, SERVER } from '../src/gateway/certificate-fixture.ts'
import { runLoad, until } from '../src/testing/index.ts'
import { type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'
import { TargetProcess } from './target-process.ts'
import { startTestDatabases } from './test-databases.ts'

/**
 * What a steady load sees of targets that are killed and restarted, and of a configuration that changes: nothing. The
 * load is open: 2,000 requests a second where the machine can, half of what it can where not. Everything is counted,
 * nothing timed; requests that the load had no connection left for on a busy machine were never sent, and count for
 * nothing.
 */
let gateway: ShopProcess
let stop: () => Promise<void>

before(async () => {
  const databases = await startTestDatabases(1)
  const dataDir = await temporaryDataDir()
  const env = { DATABASE_URLS: databases.urls.join(','), CONNECTIONS_MAX: '8' }
  stop = async () => {
    gateway?.signal('SIGTERM')
    await gateway?.exited
    await databases.stop()
    await dataDir.remove()
  }
  gateway = await startShop(dataDir.path, { args: ['--only', 'gateway'], env })
})

after(() => stop())

const RATE = 2_000
const DURATION_MS_MAX = 120_000

async function admin<T = Record<string, unknown>>(method: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(gateway.admin + path, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`)
  return (text === '' ? {} : JSON.parse(text)) as T
}

/** An upstream with two targets that are processes, behind one route. */
async function balance(context: TestContext, name: string) {
  const targets = [await new TargetProcess().start(), await new TargetProcess().start()] as const
  context.after(() => Promise.all(targets.map((target) => target.end('SIGKILL'))))
  const breaker = { failures: 3, open_time: 0.5, successes: 2 }
  await admin('POST', '/upstreams', { name: `${name}.balanced`, circuit_breaker: breaker })
  for (const { place } of targets) await admin('POST', `/upstreams/${name}.balanced/targets`, { target: place })
  await admin('POST', '/services', { name, host: `${name}.balanced` })
  await admin('POST', `/services/${name}/routes`, { name, paths: [`/${name}`] })
  return targets
}

async function breakerOf(name: string, { place }: TargetProcess): Promise<string | undefined> {
  const { data } = await admin<{ data: { target: string; data: { addresses: { circuit_breaker: string }[] } }[] }>(
    'GET',
    `/upstreams/${name}.balanced/health`,
  )
  return data.find(({ target }) => target === place)?.data.addresses[0]?.circuit_breaker
}

/** A load that goes on until it is told to end, and what came of it. */
class Load {
  /** How many requests were due so far, and which of them failed. */
  due = 0
  readonly failures: { readonly n: number; readonly why: string }[] = []
  /** Answers by the process that gave them. */
  readonly answers = new Map<string, number>()
  #answered = 0
  readonly #end = new AbortController()
  readonly #report: ReturnType<typeof runLoad>

  constructor(url: string, rate: number) {
    this.#report = runLoad({
      url,
      arrivals: { kind: 'fixed', rate, durationMs: DURATION_MS_MAX },
      signal: this.#end.signal,
      request: (n) => {
        this.due = n + 1
        return { method: 'GET', path: '/' }
      },
      verify: ({ status, body }, n) => {
        this.#answered += 1
        const by = String(body)
        this.answers.set(by, (this.answers.get(by) ?? 0) + 1)
        if (status === 200) return undefined
        this.failures.push({ n, why: `${status} ${by}` })
        return `status ${status}`
      },
    })
  }

  /** Until so many more requests have been answered. */
  async more(count: number): Promise<void> {
    const goal = this.#answered + count
    await until(() => this.#answered >= goal, { timeoutMs: DURATION_MS_MAX, what: 'more answers' })
  }

  async end() {
    this.#end.abort()
    return this.#report
  }
}

/** One-second rounds until the compiler has seen the gateway, the targets and the generator. */
const CALIBRATIONS_MAX = 6

/**
 * The rate for this machine, which runs the load, the gateway and the targets on the same processors: all of it if a
 * round of the calibration kept up with it, else half of the worst, since others take their share when they like, and
 * starting processes takes one, too.
 */
async function affordableRate(context: TestContext, url: string): Promise<number> {
  const achieved: number[] = []
  for (let round = 0; round < CALIBRATIONS_MAX; round++) {
    const { rateAchieved, generator } = await runLoad({
      url,
      arrivals: { kind: 'fixed', rate: RATE, durationMs: 1_000 },
      request: () => ({ method: 'GET', path: '/' }),
    })
    achieved.push(Math.round(rateAchieved))
    if (rateAchieved >= 0.95 * RATE && !generator.saturated) break
  }
  const keptUp = Math.max(...achieved) >= 0.95 * RATE
  const rate = keptUp ? RATE : Math.max(50, Math.round(Math.min(...achieved) / 2))
  context.diagnostic(`calibrated to ${rate}/s: ${RATE}/s were asked, ${achieved.join(', ')} answered`)
  return rate
}

test('a target that is killed costs no request once it is noticed, and a rolling restart costs none', async (context) => {
  const targets = await balance(context, 'killed')
  const [, second] = targets
  const url = `${gateway.gateway}/killed`
  const rate = await affordableRate(context, url)
  const load = new Load(url, rate)
  await load.more(500)

  assert.equal(await second.end('SIGKILL'), 'SIGKILL')
  await until(async () => (await breakerOf('killed', second)) === 'open', { what: 'the open breaker' })
  const noticedAt = load.due
  await load.more(1_000)
  await until(() => /is tried again/.test(gateway.output()), { what: 'a trial of the dead target' })

  const seen = load.answers.size
  await second.start()
  await until(async () => (await breakerOf('killed', second)) === 'closed', { what: 'the closed breaker' })
  await until(() => load.answers.size === seen + 1, { what: 'answers of the target that is back' })

  for (const target of targets) {
    const answering = load.answers.size
    assert.equal(await target.end('SIGTERM'), 0)
    await load.more(500)
    await target.start()
    await until(() => load.answers.size === answering + 1, { what: 'answers of the restarted target' })
  }
  await load.more(500)
  const report = await load.end()
  context.diagnostic(
    `${report.asked - report.dropped} requests at ${rate}/s, ${noticedAt} due when the kill was noticed, ` +
      `${report.failed} failed, ${report.dropped} not sent for want of a connection`,
  )
  const later = load.failures.filter(({ n }) => n >= noticedAt)
  assert.deepEqual(later, [])
  assert.equal(report.failed, load.failures.length, `without an answer: ${JSON.stringify(report.failures)}`)
  assert.match(gateway.output(), /circuit breaker keeps requests away/)
  assert.match(gateway.output(), /circuit breaker has closed/)
})

/** Every one of these is in force before the next is asked for. */
async function changeEverything(name: string, round: number, spare: TargetProcess): Promise<void> {
  const other = `${name}-${round}`
  await admin('POST', '/services', { name: other, url: `http://${spare.place}/other` })
  await admin('POST', `/services/${other}/routes`, { name: other, paths: [`/${other}`] })
  const limit = { name: 'rate-limiting', config: { hour: 1_000_000_000, policy: 'local' } }
  const plugin = await admin<{ id: string }>('POST', `/services/${name}/plugins`, limit)
  await admin('PATCH', `/plugins/${plugin.id}`, { config: { hour: 2_000_000_000 + round } })
  await admin('PATCH', `/services/${name}`, { read_timeout: 30_000 + round, connect_timeout: 20_000 + round })
  await admin('PATCH', `/routes/${name}`, { methods: round % 2 === 0 ? ['GET', 'HEAD'] : ['GET'] })
  await admin('POST', `/upstreams/${name}.balanced/targets`, { target: spare.place })
  await admin('PATCH', `/upstreams/${name}.balanced/targets/${spare.place}`, { weight: 50 + round })
  await admin('PATCH', `/upstreams/${name}.balanced`, {
    algorithm: round % 2 === 0 ? 'least-connections' : 'round-robin',
  })
  await admin('DELETE', `/upstreams/${name}.balanced/targets/${spare.place}`)
  await admin('DELETE', `/plugins/${plugin.id}`)
  await admin('DELETE', `/routes/${other}`)
  await admin('DELETE', `/services/${other}`)
}

const CHANGE_ROUNDS = 10
const CHANGES_PER_ROUND = 13

test('a configuration that changes all the time costs no request', async (context) => {
  await balance(context, 'changed')
  const spare = await new TargetProcess().start()
  context.after(() => spare.end('SIGKILL'))
  const url = `${gateway.gateway}/changed`
  const rate = await affordableRate(context, url)
  const load = new Load(url, rate)
  await load.more(100)
  for (let round = 0; round < CHANGE_ROUNDS; round++) await changeEverything('changed', round, spare)
  await load.more(100)
  const report = await load.end()
  context.diagnostic(`${CHANGE_ROUNDS * CHANGES_PER_ROUND} changes during ${report.asked} requests at ${rate}/s`)
  assert.deepEqual([load.failures, report.failed], [[], 0], JSON.stringify(report.failures))
  assert.equal(load.answers.size, 3, 'the spare target has answered, too')
})

test('a client certificate that is replaced through the Admin API is shown from the next request on', async (context) => {
  const service = createServer({ ...SERVER, ca: AUTHORITY, requestCert: true }, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate() as PeerCertificate
    response.end(String(subject.CN))
  }).listen(0, '127.0.0.1')
  await once(service, 'listening')
  context.after(() => {
    service.closeAllConnections()
    service.close()
  })
  const { port } = service.address() as AddressInfo
  const authority = await admin<{ id: string }>('POST', '/ca_certificates', { cert: AUTHORITY })
  const client = await admin<{ id: string }>('POST', '/certificates', FIRST_CLIENT)
  await admin('POST', '/services', {
    name: 'mutual',
    url: `https://127.0.0.1:${port}`,
    client_certificate: { id: client.id },
    ca_certificates: [authority.id],
  })
  await admin('POST', '/services/mutual/routes', { name: 'mutual', paths: ['/mutual'] })
  const shown = async () => (await fetch(`${gateway.gateway}/mutual`)).text()
  assert.equal(await shown(), 'first-gateway')
  await admin('PATCH', `/certificates/${client.id}`, SECOND_CLIENT)
  assert.equal(await shown(), 'second-gateway')
})
