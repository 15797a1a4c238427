import assert from 'node:assert/strict'
import { request as httpRequest } from 'node:http'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { Pool } from 'undici'
import { until } from '../../testing/index.ts'
import { type TargetChanged, targetChanged } from '../channels.ts'
import type { GatewayOptions } from '../gateway.ts'
import { addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'
import type { LocalUpstream } from '../upstream.ts'
import { startTarget, type TargetServer } from './target-fixture.ts'

type Fields = Readonly<Record<string, unknown>>
type Setting = {
  readonly upstream?: Fields
  readonly service?: Fields
  readonly route?: Fields
  readonly gateway?: Partial<GatewayOptions>
}

/** A gateway with one route, everything, over an upstream with these targets (`host:port`, or with a weight). */
async function balance(context: TestContext, targets: readonly (string | Fields)[], setting: Setting = {}) {
  const config = new ConfigFixture()
  const upstream = config.add('upstreams', { name: 'orders.internal', ...setting.upstream })
  for (const target of targets) {
    const fields = typeof target === 'string' ? { target } : target
    config.add('targets', { ...fields, upstream: { id: upstream.id } })
  }
  addRoute(config, { paths: ['/'], ...setting.route }, { host: 'orders.internal', ...setting.service })
  const running = await startGateway(context, { config, ...setting.gateway })
  return { config, upstream, ...running }
}

/** What a target is known by, in its answers. */
function named(context: TestContext, name: string, status = () => 200): Promise<TargetServer> {
  return startTarget(context, (request, response) => {
    request.resume()
    request.on('end', () => response.writeHead(status(), { 'x-target': name }).end(`${name} ${request.headers.host}`))
  })
}

function changesOf(context: TestContext): TargetChanged[] {
  const changes: TargetChanged[] = []
  context.after(targetChanged.subscribe((change) => void changes.push(change)))
  return changes
}

/** Keeps asking over `width` connections until it is stopped; counts the answers by status, and the failures. */
function load(context: TestContext, port: number, { width = 16, method = 'GET', body = '' } = {}) {
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: width })
  const counts = new Map<number | string, number>()
  let isStopped = false
  const worker = async () => {
    while (!isStopped) {
      const outcome = await pool
        .request({ path: '/', method, ...(body !== '' && { body }) })
        .then(async (answer) => {
          await answer.body.dump()
          return answer.statusCode
        })
        .catch((error: Error) => error.message)
      counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
    }
  }
  const work = Promise.all(Array.from({ length: width }, worker))
  const stop = async () => {
    isStopped = true
    await work
    await pool.destroy()
  }
  context.after(stop)
  return { counts, stop, total: () => [...counts.values()].reduce((sum, count) => sum + count, 0) }
}

const refusal = { accept: 'application/json' }

test('a service whose host names an upstream goes to its targets in turn, by their weights', async (context) => {
  const [a, b, idle] = [await named(context, 'a'), await named(context, 'b'), await named(context, 'idle')]
  const { port } = await balance(context, [
    { target: a.place, weight: 300 },
    { target: b.place, weight: 100 },
    { target: idle.place, weight: 0 },
  ])
  const answers: string[] = []
  for (let index = 0; index < 8; index++) answers.push((await ask(port, '/')).body)
  assert.equal(answers.filter((body) => body === `a ${a.place}`).length, 6)
  assert.equal(answers.filter((body) => body === `b ${b.place}`).length, 2)
  assert.deepEqual([a.connections, b.connections, idle.requests], [1, 1, 0])
})

test('the Host header is the target, what the upstream says, or what the client said', async (context) => {
  const a = await named(context, 'a')
  const own = await balance(context, [a.place], { upstream: { host_header: 'shop.example' } })
  assert.equal((await ask(own.port, '/')).body, 'a shop.example')
  const preserved = await balance(context, [a.place], { route: { preserve_host: true } })
  assert.equal((await ask(preserved.port, '/', { headers: { host: 'client.example' } })).body, 'a client.example')
})

test('without a usable target the answer is 503, in the words of Kong', async (context) => {
  const { port, config, upstream } = await balance(context, [])
  const answer = await ask(port, '/', { headers: refusal })
  assert.deepEqual(
    [answer.status, JSON.parse(answer.body).message],
    [503, 'failure to get a peer from the ring-balancer'],
  )
  const a = await named(context, 'a')
  config.add('targets', { target: a.place, upstream: { id: upstream.id } })
  assert.equal((await ask(port, '/')).status, 200)
})

test('a refused connection is tried at another target, whatever the method', async (context) => {
  const [dead, a] = [await named(context, 'dead'), await named(context, 'a')]
  dead.kill()
  const { port } = await balance(context, [dead.place, a.place])
  for (let index = 0; index < 4; index++) {
    const answer = await ask(port, '/', { method: 'POST', body: 'order' })
    assert.deepEqual([answer.status, answer.headers['x-target']], [200, 'a'])
  }
})

test('without retries a refused connection is a 502', async (context) => {
  const dead = await named(context, 'dead')
  dead.kill()
  const { port } = await balance(context, [dead.place], { service: { retries: 0 } })
  assert.equal((await ask(port, '/')).status, 502)
})

const echoing: LocalUpstream = {
  kind: 'local',
  dispatch: (request, response) => {
    void text(request).then((body) => response.end(`here ${request.method} ${body}`))
  },
}

test('a service in this process is one target among others, by the name of the service', async (context) => {
  const a = await named(context, 'a')
  const resolve: GatewayOptions['resolve'] = ({ host }) => (host === 'order-service' ? echoing : undefined)
  const { port } = await balance(context, ['order-service:8080', a.place], { gateway: { resolve } })
  const bodies = [(await ask(port, '/')).body, (await ask(port, '/')).body].sort()
  assert.deepEqual(bodies, [`a ${a.place}`, 'here GET '])
  a.kill()
  for (let index = 0; index < 4; index++) {
    const answer = await ask(port, '/', { method: 'POST', body: 'order' })
    assert.deepEqual([answer.status, answer.body], [200, 'here POST order'])
  }
})

test('a target killed under load fails nobody, and its breaker opens, half-opens and closes', async (context) => {
  const [a, b] = [await named(context, 'a'), await named(context, 'b')]
  const changes = changesOf(context)
  const { port } = await balance(context, [a.place, b.place], {
    upstream: { circuit_breaker: { failures: 3, open_time: 0.3, successes: 2 } },
  })
  const { counts, stop, total } = load(context, port)
  const statesOfB = () => changes.filter(({ address }) => address === b.place).map(({ state }) => state)
  await until(() => total() > 500)
  b.kill()
  await until(() => statesOfB().includes('half-open'))
  await b.start()
  await until(() => statesOfB().at(-1) === 'closed')
  const requestsBefore = b.requests
  await until(() => b.requests > requestsBefore + 100)
  await stop()
  assert.deepEqual([...counts.keys()], [200])
  const opening = statesOfB().slice(0, 2)
  assert.deepEqual(
    [opening, statesOfB().slice(-2)],
    [
      ['open', 'half-open'],
      ['half-open', 'closed'],
    ],
  )
})

test('while a breaker is open its target is not asked', async (context) => {
  let status = 500
  const [a, b] = [await named(context, 'a'), await named(context, 'b', () => status)]
  const { port } = await balance(context, [a.place, b.place], {
    upstream: { circuit_breaker: { failures: 2, open_time: 3_600 } },
  })
  const statuses: number[] = []
  for (let index = 0; index < 12; index++) statuses.push((await ask(port, '/')).status)
  status = 200
  assert.deepEqual([statuses.filter((each) => each === 500).length, b.requests], [2, 2])
})

test('a rolling restart of both targets loses no request', async (context) => {
  const [a, b] = [await named(context, 'a'), await named(context, 'b')]
  const { port } = await balance(context, [a.place, b.place])
  const reads = load(context, port, { width: 8 })
  const writes = load(context, port, { width: 8, method: 'POST', body: 'order' })
  await until(() => reads.total() > 200 && writes.total() > 200)
  for (const target of [a, b]) {
    await target.stop()
    await target.start()
    const before = target.requests
    await until(() => target.requests > before + 50)
  }
  await Promise.all([reads.stop(), writes.stop()])
  assert.deepEqual([[...reads.counts.keys()], [...writes.counts.keys()]], [[200], [200]])
})

test('an answer of a chosen status is asked for again elsewhere, within a budget', async (context) => {
  const [busy, a] = [await named(context, 'busy', () => 503), await named(context, 'a')]
  const { port } = await balance(context, [busy.place, a.place], {
    upstream: { retry: { http_statuses: [503], budget_ratio: 0, budget_min: 3 } },
  })
  const statuses: number[] = []
  for (let index = 0; index < 10; index++) statuses.push((await ask(port, '/')).status)
  assert.deepEqual([statuses.filter((status) => status === 200).length, statuses.lastIndexOf(503) > 5], [8, true])
  assert.equal(busy.connections, 1)
  const post = await ask(port, '/', { method: 'POST', body: 'order' })
  const other = await ask(port, '/', { method: 'POST', body: 'order' })
  assert.deepEqual([post.status, other.status].sort(), [200, 503])
})

test('an upload that its target does not take in time is a 504', async (context) => {
  const deaf = await startTarget(context, (request) => void request.pause())
  const { port } = await balance(context, [deaf.place], { service: { write_timeout: 50, retries: 0 } })
  const answer = await ask(port, '/', { method: 'POST', body: 'x'.repeat(20_000_000) })
  assert.equal(answer.status, 504)
})

test('whatever ends an attempt, its target is not taken for busy any longer', async (context) => {
  const odd = await startTarget(context, (request, response) => {
    request.resume()
    if (request.url === '/reset') request.socket.destroy()
    if (request.url === '/cut')
      response.writeHead(200, { 'content-length': 10 }).write('half', () => request.socket.destroy())
    if (request.url === '/busy') response.writeHead(503).end('x'.repeat(100_000))
    if (request.url === '/fine') response.end('fine')
  })
  const { gateway, port, upstream } = await balance(context, [odd.place], {
    upstream: { algorithm: 'least-connections', retry: {}, circuit_breaker: { failures: 60_000 } },
    service: { read_timeout: 200, retries: 2 },
  })
  const inFlight = () => gateway.upstreams.of(upstream.id)?.targets[0]?.addresses[0]?.inFlight
  for (const [path, status] of [
    ['/reset', 502],
    ['/busy', 503],
    ['/silent', 504],
    ['/fine', 200],
  ] as const) {
    assert.equal((await ask(port, path)).status, status, path)
  }
  await assert.rejects(ask(port, '/cut'))
  const upload = httpRequest({ port, method: 'POST', path: '/fine', headers: { 'content-length': '10' }, agent: false })
  upload.on('error', () => upload.destroy())
  upload.write('half')
  await until(() => inFlight() === 1)
  upload.destroy()
  await until(() => inFlight() === 0)
})

test('a cookie that a new client waits for is set once', async (context) => {
  const a = await named(context, 'a')
  const { promise, resolve: answer } = Promise.withResolvers<void>()
  const { gateway, port } = await balance(context, [`orders.example:${a.port}`], {
    upstream: { hash_on: 'cookie', hash_on_cookie: 'seat' },
    gateway: { resolveName: () => promise.then(() => ({ ips: ['127.0.0.1'], ttlMs: 60_000 })) },
  })
  const asked = ask(port, '/')
  await until(() => gateway.stats().requestsActive === 1)
  answer()
  assert.equal((await asked).headers['set-cookie']?.length, 1)
})
