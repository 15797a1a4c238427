import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { until } from '../../testing/index.ts'
import { type TargetChanged, targetChanged } from '../channels.ts'
import type { GatewayOptions } from '../gateway.ts'
import { addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'
import { startTarget } from './target-fixture.ts'

type Fields = Readonly<Record<string, unknown>>

/** A gateway over an upstream with these checks and targets, and what it tells of them. */
async function check(
  context: TestContext,
  {
    targets,
    healthchecks,
    gateway = {},
  }: { targets: string[]; healthchecks?: Fields; gateway?: Partial<GatewayOptions> },
) {
  const changes: TargetChanged[] = []
  context.after(targetChanged.subscribe((change) => void changes.push(change)))
  const config = new ConfigFixture()
  const upstream = config.add('upstreams', { name: 'orders.internal', healthchecks })
  for (const target of targets) config.add('targets', { target, upstream: { id: upstream.id } })
  addRoute(config, { paths: ['/'] }, { host: 'orders.internal', retries: 0 })
  const running = await startGateway(context, { config, ...gateway })
  const states = () => changes.map(({ address, state }) => `${address} ${state}`)
  const health = () => running.gateway.upstreams.of(upstream.id)
  return { ...running, config, upstream, states, health }
}

/** A target that answers with the status it is told to. */
async function target(context: TestContext) {
  const answer = { status: 200 }
  const server = await startTarget(context, (request, response) => {
    response.writeHead(request.url === '/health' || request.url === '/' ? answer.status : 404).end('ok')
  })
  return { server, answer }
}

const activeEvery = (interval: number, more: Fields = {}) => ({
  active: {
    http_path: '/health',
    healthy: { interval, successes: 1 },
    unhealthy: { interval, http_failures: 2, tcp_failures: 1, timeouts: 1 },
    ...more,
  },
})

test('active checks take a failing target out and bring it back', async (context) => {
  const [a, b] = [await target(context), await target(context)]
  const places = [a.server.place, b.server.place]
  const { port, states } = await check(context, { targets: places, healthchecks: activeEvery(0.02) })
  b.answer.status = 500
  await until(() => states().includes(`${b.server.place} unhealthy`))
  for (let index = 0; index < 6; index++) assert.equal((await ask(port, '/')).status, 200)
  b.answer.status = 200
  await until(() => states().includes(`${b.server.place} healthy`))
  b.server.kill()
  await until(() => states().filter((state) => state === `${b.server.place} unhealthy`).length === 2)
  for (let index = 0; index < 6; index++) assert.equal((await ask(port, '/')).status, 200)
})

test('a check by TCP is content with a connection', async (context) => {
  const silent = createServer((socket) => void socket.on('error', () => socket.destroy()).resume())
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  const place = `127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const { states } = await check(context, { targets: [place], healthchecks: activeEvery(0.02, { type: 'tcp' }) })
  await once(silent, 'connection')
  silent.close()
  await until(() => states().includes(`${place} unhealthy`))
})

test('a check that is not answered in time counts as a timeout', async (context) => {
  const deaf = await startTarget(context, () => {})
  const { states } = await check(context, {
    targets: [deaf.place],
    healthchecks: activeEvery(0.02, { timeout: 0.05 }),
  })
  await until(() => states().includes(`${deaf.place} unhealthy`))
})

test('no check and no connection is left when the gateway has closed', async (context) => {
  const deaf = await startTarget(context, () => {})
  const { gateway } = await check(context, { targets: [deaf.place], healthchecks: activeEvery(0.01, { timeout: 60 }) })
  await until(() => deaf.requests === 1)
  await gateway.close({ deadlineAtMs: Date.now() + 1_000 })
  await until(() => deaf.open === 0)
  assert.equal(deaf.requests, 1)
})

test('passive checks take a target out, and an operator brings it back', async (context) => {
  const [a, b] = [await target(context), await target(context)]
  const healthchecks = { passive: { unhealthy: { http_failures: 2 } } }
  const { port, states, gateway, upstream, health } = await check(context, {
    targets: [a.server.place, b.server.place],
    healthchecks,
  })
  b.answer.status = 500
  const statuses: number[] = []
  for (let index = 0; index < 10; index++) statuses.push((await ask(port, '/')).status)
  assert.deepEqual([statuses.filter((status) => status === 500).length, states()], [2, [`${b.server.place} unhealthy`]])
  b.answer.status = 200
  const place = { upstreamId: upstream.id, target: b.server.place, address: undefined }
  assert.equal(gateway.upstreams.set(place, true), true)
  assert.deepEqual(health()?.weight, { total: 200, available: 200, unavailable: 0 })
})

test('a request that the client gave up says nothing about its target', async (context) => {
  const deaf = await startTarget(context, () => {})
  const healthchecks = { passive: { unhealthy: { tcp_failures: 1, timeouts: 1, http_failures: 1 } } }
  const { port, states } = await check(context, { targets: [deaf.place], healthchecks })
  const leaving = new AbortController()
  const asked = fetch(`http://127.0.0.1:${port}/`, { signal: leaving.signal })
  await until(() => deaf.requests === 1)
  leaving.abort()
  await assert.rejects(asked)
  const hurried = await ask(port, '/', { headers: { 'x-deadline-ms': '50' } })
  await until(() => deaf.open === 0)
  assert.deepEqual([hurried.status, states()], [504, []])
})

test('below its threshold an upstream answers 503 although a target is left', async (context) => {
  const [a, b] = [await target(context), await target(context)]
  const healthchecks = { threshold: 50, passive: { unhealthy: { http_failures: 1 } } }
  const { port, gateway, upstream, health } = await check(context, {
    targets: [a.server.place, b.server.place],
    healthchecks,
  })
  gateway.upstreams.set({ upstreamId: upstream.id, target: b.server.place, address: b.server.place }, false)
  assert.deepEqual([health()?.isHealthy, (await ask(port, '/')).status], [false, 503])
})

test('the first request for a new name waits until it is resolved', async (context) => {
  const a = await target(context)
  const answers = Promise.withResolvers<void>()
  const { port, gateway } = await check(context, {
    targets: [`orders.example:${a.server.port}`],
    gateway: {
      resolveName: async () => {
        await answers.promise
        return { ips: ['127.0.0.1'], ttlMs: 60_000 }
      },
    },
  })
  const asked = ask(port, '/')
  await until(() => gateway.stats().requestsActive === 1)
  answers.resolve()
  assert.equal((await asked).status, 200)
})

test('a name is asked for again, keeps what it had when that fails, and follows what it then resolves to', async (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  let ips: readonly string[] = ['10.0.0.1', '10.0.0.2']
  let asked = 0
  const resolveName = async () => {
    asked += 1
    if (ips.length === 0) throw new Error('no such name')
    return { ips, ttlMs: 30_000 }
  }
  const { health, states } = await check(context, { targets: ['orders.example:80'], gateway: { resolveName } })
  const addresses = () => health()?.targets[0]?.addresses.map(({ ip }) => ip)
  const later = async (afterMs: number) => {
    const before = asked
    context.mock.timers.tick(afterMs)
    for (let turn = 0; turn < 10; turn++) await Promise.resolve()
    return asked - before
  }
  await later(0)
  assert.deepEqual(addresses(), ['10.0.0.1', '10.0.0.2'])
  ips = []
  assert.deepEqual([await later(29_999), await later(1)], [0, 1])
  assert.deepEqual([addresses(), states()], [['10.0.0.1', '10.0.0.2'], [' unresolved']])
  ips = ['10.0.0.2', '10.0.0.3']
  assert.equal(await later(1_000), 1)
  assert.deepEqual([addresses(), states().at(-1)], [['10.0.0.2', '10.0.0.3'], ' resolved'])
  context.mock.timers.reset()
})

test('a check that HTTP cannot say fails, and the gateway goes on', async (context) => {
  const { server } = await target(context)
  const healthchecks = activeEvery(0.02, { headers: { 'X-Snow': ['\u2603'] } })
  const { port, states } = await check(context, { targets: [server.place], healthchecks })
  await until(() => states().includes(`${server.place} unhealthy`))
  assert.equal((await ask(port, '/')).status, 503)
})
