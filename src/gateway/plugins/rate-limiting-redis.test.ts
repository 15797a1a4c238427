import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { after, before, describe, type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { type RedisServer, redisMissing, startRedisServer, until } from '../../testing/index.ts'
import { pluginStoreUnavailable } from '../channels.ts'
import { addRoute, ask, ConfigFixture, startGateway } from '../gateway-fixture.ts'
import { redisSettings } from '../stores/redis-settings-fixture.ts'

const FIXTURE = fileURLToPath(new URL('limited-gateway-fixture.ts', import.meta.url))

describe('rate limits in Redis', { skip: redisMissing() }, () => {
  let redis: RedisServer
  before(async () => {
    redis = await startRedisServer()
  })
  after(() => redis?.stop())

  /** A year's limit and a patient client: no window ends while a test runs, and a busy machine is no failure. */
  const limits = (changes: Record<string, unknown> = {}) => {
    const { host, port } = redisSettings(redis.url)
    return { year: 100, policy: 'redis', limit_by: 'ip', redis: { host, port, timeout: 60_000 }, ...changes }
  }

  async function limited(context: TestContext, changes: Record<string, unknown>) {
    const config = new ConfigFixture()
    addRoute(config, { paths: ['/'] })
    const plugin = config.add('plugins', { name: 'rate-limiting', config: limits(changes) })
    const dispatch = (_request: unknown, response: { end(text: string): void }) => response.end('fine')
    const { port } = await startGateway(context, { config, resolve: () => ({ kind: 'local', dispatch }) })
    return { config, plugin, port }
  }

  for (const window_type of ['fixed', 'sliding', 'token-bucket']) {
    test(`of a thousand concurrent requests to two gateway processes exactly a hundred pass (${window_type})`, async (context) => {
      const id = crypto.randomUUID()
      // A machine that is too busy to answer shows as a failure, and not as one request too many.
      const plugin = { id, name: 'rate-limiting', config: limits({ window_type, fault_tolerant: false }) }
      const ports = await Promise.all([0, 1].map(() => startProcess(context, plugin)))
      const asked = Array.from({ length: 1_000 }, (_, index) => ask(ports[index % 2] ?? 0, '/'))
      const statuses = (await Promise.all(asked)).map((answer) => answer.status)
      const count = (status: number) => statuses.filter((seen) => seen === status).length
      assert.deepEqual([count(200), count(429)], [100, 900])
    })
  }

  test('a limit’s headers are those of the local policy', async (context) => {
    const { port } = await limited(context, { year: 1 })
    const passed = await ask(port, '/')
    assert.equal(passed.headers['x-ratelimit-remaining-year'], '0')
    const refused = await ask(port, '/')
    assert.deepEqual([refused.status, refused.headers['ratelimit-limit']], [429, '1'])
    assert.ok(Number(refused.headers['retry-after']) >= 1)
  })

  test('a consumer’s limit follows it to every gateway, and counts no one else', async (context) => {
    const config = new ConfigFixture()
    addRoute(config, { paths: ['/'] })
    config.add('plugins', { name: 'key-auth' })
    for (const username of ['ann', 'bob']) {
      const consumer = { id: config.add('consumers', { username }).id }
      config.add('keyauth_credentials', { key: username, consumer })
    }
    config.add('plugins', { name: 'rate-limiting', config: limits({ year: 2, limit_by: 'consumer' }) })
    const resolve = () => ({ kind: 'local' as const, dispatch: (_: unknown, to: { end(): void }) => to.end() })
    const first = await startGateway(context, { config, resolve })
    const second = await startGateway(context, { config, resolve })
    const statusAt = async (port: number, apikey: string) => (await ask(port, '/', { headers: { apikey } })).status
    const seen = [
      await statusAt(first.port, 'ann'),
      await statusAt(second.port, 'ann'),
      await statusAt(first.port, 'ann'),
      await statusAt(second.port, 'bob'),
    ]
    assert.deepEqual(seen, [200, 200, 429, 200])
  })

  test('another Redis in the configuration is the one that is asked from then on', async (context) => {
    const { port, config, plugin } = await limited(context, { year: 1 })
    assert.equal((await ask(port, '/')).status, 200)
    assert.equal((await ask(port, '/')).status, 429)
    const elsewhere = { ...(plugin.config.redis as object), database: 1 }
    config.replace({ ...config.snapshot(), plugins: [{ ...plugin, config: { ...plugin.config, redis: elsewhere } }] })
    assert.equal((await ask(port, '/')).status, 200)
  })

  test('without Redis requests pass without a limit when it is fault-tolerant, and fail when it is not', async (context) => {
    const unlimited: string[] = []
    context.after(pluginStoreUnavailable.subscribe(({ plugin }) => unlimited.push(plugin)))
    const tolerant = await limited(context, { year: 1 })
    const strict = await limited(context, { year: 1, fault_tolerant: false })
    assert.equal((await ask(tolerant.port, '/')).status, 200)
    assert.equal((await ask(strict.port, '/')).status, 200)
    await redis.kill()
    const passed = await ask(tolerant.port, '/')
    assert.deepEqual([passed.status, passed.headers['x-ratelimit-limit-year']], [200, undefined])
    assert.deepEqual(unlimited, [tolerant.plugin.id])
    const failed = await ask(strict.port, '/')
    assert.equal(failed.status, 500)
    assert.equal(JSON.parse(failed.body).message, 'An unexpected error occurred')
    await redis.restart()
    await until(async () => (await ask(strict.port, '/')).status === 200, { what: 'the limit is asked for again' })
    assert.equal((await ask(strict.port, '/')).status, 429)
  })

  test('a Redis that hangs costs a request no more than its timeout, and then it is left alone', async (context) => {
    const { port } = await limited(context, { redis: { ...limits().redis, timeout: 100 } })
    assert.equal((await ask(port, '/')).status, 200)
    redis.pause()
    context.after(() => redis.resume())
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(port, '/')))
    assert.ok(answers.every(({ status, headers }) => status === 200 && headers['ratelimit-limit'] === undefined))
    redis.resume()
    const isCounted = async () => (await ask(port, '/')).headers['ratelimit-limit'] === '100'
    await until(isCounted, { what: 'requests are counted again' })
  })
})

/** Its port. The process ends with the test. */
async function startProcess(context: TestContext, plugin: object): Promise<number> {
  const child = spawn(process.execPath, [FIXTURE, JSON.stringify(plugin)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  context.after(async () => {
    child.stdin.end()
    await exited
  })
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return Number(line)
}
