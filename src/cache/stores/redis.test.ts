import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { createClient } from 'redis'
import { type RedisServer, redisMissing, startRedisServer, until } from '../../testing/index.ts'
import { levelChanged } from '../channels.ts'
import { storeContract } from '../contract.ts'
import { entryOf } from '../entry.ts'
import { GuardedStore } from '../guarded-store.ts'
import { STORE_FAILURES_MAX } from '../limits.ts'
import { secondLevelAt } from '../second-level.ts'
import { RedisStore } from './redis.ts'

const skip = redisMissing()
const STOP = () => ({ deadlineAtMs: Date.now() + 1_000 })

storeContract({
  name: 'redis',
  skip,
  async open() {
    const server = await startRedisServer()
    const store = new RedisStore({ url: server.url, prefix: 'contract' })
    await store.start()
    return { store, stop: () => server.stop() }
  },
  until,
})

test('a URL that no store is there for is refused, and says what to use', () => {
  assert.throws(() => secondLevelAt('memcached://localhost', 'a'), {
    code: 'CACHE_URL_UNSUPPORTED',
    message: /not there/,
  })
  assert.throws(() => secondLevelAt('http://localhost', 'a'), { code: 'CACHE_URL_UNSUPPORTED' })
})

describe('a Redis in trouble', { skip }, () => {
  let server: RedisServer
  let store: GuardedStore
  const changes: string[] = []
  let end: () => void
  const held = { entry: entryOf(1, { tags: [], horizons: [] }), ttlMs: 60_000 }

  before(async () => {
    end = levelChanged.subscribe(({ level, state }) => changes.push(`${level} ${state}`))
    server = await startRedisServer()
    store = new GuardedStore(new RedisStore({ url: server.url, prefix: 'trouble' }))
    await store.start()
  })

  after(async () => {
    end?.()
    server?.resume()
    await store?.stop(STOP())
    await server?.stop()
  })

  test('what is no entry is unreadable, not an error', async () => {
    const client = createClient({ url: server.url, maintNotifications: 'disabled' })
    client.on('error', () => {})
    await client.connect()
    for (const text of ['', '{', 'null', '{"v":2}', '{"v":1,"tags":[1],"horizons":[],"value":1}']) {
      await client.set('trouble:odd', text)
      assert.equal(await until(() => store.get('odd').catch(() => false)), 'unreadable', text)
    }
    client.destroy()
  })

  test('one that hangs costs each operation its time limit, and after a few failures nothing', async () => {
    server.pause()
    for (let failure = 0; failure < STORE_FAILURES_MAX; failure++) {
      await assert.rejects(store.get('any'), { code: 'CACHE_STORE_UNAVAILABLE' })
    }
    await assert.rejects(store.set('any', held), { code: 'CACHE_STORE_UNAVAILABLE', message: /left alone/ })
    assert.equal(changes.at(-1), 'redis down')
    server.resume()
    await until(() => changes.at(-1) === 'redis up', { what: 'a probe was answered' })
    await until(() =>
      store.set('any', held).then(
        () => true,
        () => false,
      ),
    )
  })

  test('one that is killed is noticed without traffic, and so is its return', async () => {
    await server.kill()
    await until(() => changes.at(-1) === 'redis down')
    await server.restart()
    await until(() => changes.at(-1) === 'redis up')
  })
})
