import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { type TestContext, test } from 'node:test'
import { type RedisServer, redisMissing, startRedisServer, until } from '../../testing/index.ts'
import { createDeclarativeStore } from '../declarative/declarative-store.ts'
import { ask } from '../gateway-fixture.ts'
import { plugins } from '../plugins/index.ts'
import { pluggedIn } from '../plugins/plugged-in-fixture.ts'
import { redisSettings } from '../stores/redis-settings-fixture.ts'
import { createAdminApi } from './admin-api.ts'

const NO_CONNECTIONS = { accepted: 0, active: 0, handled: 0, reading: 0, writing: 0, waiting: 0, requests: 0 }
const INFO = { version: '3.9.1', nodeId: randomUUID(), hostname: 'test', connections: () => NO_CONNECTIONS }

/** A gateway that caches a service's answers `1`, `2`, …, and its Admin API. Slow answers wait to be let go. */
async function start(context: TestContext, config: Record<string, unknown> = { strategy: 'memory' }) {
  const slow: (() => void)[] = []
  let count = 0
  const gateway = await pluggedIn(context, [{ name: 'proxy-cache', config }], {
    handler(_request, response: ServerResponse, { url }) {
      const answer = () => response.writeHead(200, { 'content-type': 'application/json' }).end(String(++count))
      if (url === '/slow') slow.push(answer)
      else answer()
    },
  })
  const store = createDeclarativeStore({ plugins })
  const cachedResponses = () => gateway.gateway.cachedResponses()
  const admin = createAdminApi({ store, plugins, info: INFO, cachedResponses })
  const { port } = await admin.listen({ host: '127.0.0.1', port: 0 })
  context.after(() => admin.close({ deadlineAtMs: Date.now() + 1_000 }))
  const get = async (path: string) => {
    const { headers, body } = await ask(gateway.port, path, { headers: { host: 'shop.example' } })
    return { status: headers['x-cache-status'], key: String(headers['x-cache-key']), body }
  }
  const whenHit = (path: string) =>
    until(async () => (await get(path)).status === 'Hit', { what: `the answer for ${path} to be stored` })
  const call = async (method: string, path: string) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method })
    const text = await response.text()
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }
  }
  return { ...gateway, get, whenHit, call, slow, pluginId: gateway.plugins[0]?.id ?? '' }
}

async function removesAndClears(context: TestContext, config?: Record<string, unknown>): Promise<void> {
  const { get, whenHit, call, pluginId } = await start(context, config)
  const { key } = await get('/a')
  await get('/b')
  await Promise.all([whenHit('/a'), whenHit('/b')])
  const shown = await call('GET', `/proxy-cache/${key}`)
  assert.equal(shown.status, 200)
  const { status, headers, body, ttl } = shown.body
  assert.deepEqual(
    { status, headers, body, ttl },
    { status: 200, headers: { 'content-type': 'application/json' }, body: '1', ttl: 300 },
  )
  assert.equal((await call('GET', `/proxy-cache/${pluginId}/caches/${key}`)).status, 200)
  assert.equal((await call('GET', `/proxy-cache/${randomUUID()}/caches/${key}`)).status, 404)

  assert.equal((await call('DELETE', `/proxy-cache/${pluginId}/caches/${key}`)).status, 204)
  assert.deepEqual([(await call('DELETE', `/proxy-cache/${key}`)).status, (await get('/b')).status], [404, 'Hit'])
  assert.deepEqual((await call('GET', `/proxy-cache/${key}`)).body, { message: 'Not found' })
  assert.equal((await get('/a')).status, 'Miss')

  await whenHit('/a')
  assert.equal((await call('DELETE', '/proxy-cache')).status, 204)
  assert.deepEqual([(await get('/a')).status, (await get('/b')).status], ['Miss', 'Miss'])
}

test('responses in memory are shown, removed one by one, and all at once', (context) => removesAndClears(context))

test('a response that was on its way when all were removed is not stored', async (context) => {
  const { get, call, slow } = await start(context)
  const late = get('/slow')
  await until(() => slow.length === 1, { what: 'the service to be asked' })
  await call('DELETE', '/proxy-cache')
  slow.pop()?.()
  assert.equal((await late).status, 'Miss')
  const again = get('/slow')
  await until(() => slow.length === 1, { what: 'the service to be asked again' })
  slow.pop()?.()
  assert.equal((await again).status, 'Miss')
})

test('responses in Redis are removed for all gateways, those on their way too', {
  skip: redisMissing(),
}, async (context) => {
  const redis: RedisServer = await startRedisServer()
  context.after(() => redis.stop())
  const { host, port } = redisSettings(redis.url)
  const config = { strategy: 'redis', redis: { host, port, timeout: 60_000 } }
  await removesAndClears(context, config)

  const first = await start(context, config)
  const twin = await start(context, config)
  twin.config.replace(first.config.snapshot())
  const late = twin.get('/slow')
  await until(() => twin.slow.length === 1, { what: 'the service to be asked' })
  await first.call('DELETE', '/proxy-cache')
  twin.slow.pop()?.()
  assert.equal((await late).status, 'Miss')
  const again = first.get('/slow')
  await until(() => first.slow.length === 1, { what: 'the service to be asked, and not Redis' })
  first.slow.pop()?.()
  const { key } = await again

  await first.call('DELETE', `/proxy-cache/${key}`)
  const later = twin.get('/slow')
  await until(() => twin.slow.length === 1, { what: 'the service to be asked once more' })
  assert.equal((await first.call('DELETE', `/proxy-cache/${key}`)).status, 404, 'it is not there yet')
  twin.slow.pop()?.()
  assert.equal((await later).status, 'Miss')
  const last = first.get('/slow')
  await until(() => first.slow.length === 1, { what: 'the service to be asked, not what was removed on its way' })
  first.slow.pop()?.()
  assert.equal((await last).status, 'Miss')

  await redis.kill()
  const failed = await first.call('DELETE', '/proxy-cache')
  assert.equal(failed.status, 503)
  assert.match(String(failed.body.message), /^Redis at .+ did not answer/)
})
