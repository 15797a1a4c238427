import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { redisMissing, startRedisServer, until } from '../testing/index.ts'
import { levelChanged } from './channels.ts'
import { GuardedStore } from './guarded-store.ts'
import { STORE_FAILURES_MAX, STORE_TIMEOUT_MS } from './limits.ts'
import type { Held, Store } from './store.ts'
import { MemoryStore } from './stores/memory.ts'
import { RedisStore } from './stores/redis.ts'

const soon = () => ({ deadlineAtMs: Date.now() + 1_000 })

/** A level that leaves as many of the next operations without an answer as it is told to. */
class HangingStore implements Store {
  readonly level = 'redis'
  readonly #store = new MemoryStore()
  hangs = 0

  start = () => this.#store.start()
  stop = () => this.#store.stop()
  get = (key: string) => this.#answer(() => this.#store.get(key))
  set = (key: string, held: Held) => this.#answer(() => this.#store.set(key, held))
  delete = (key: string) => this.#answer(() => this.#store.delete(key))
  ping = () => this.#answer(() => this.#store.ping())

  #answer<T>(operation: () => Promise<T>): Promise<T> {
    if (this.hangs === 0) return operation()
    this.hangs -= 1
    return new Promise(() => {})
  }
}

function guarded(context: TestContext) {
  const changes: string[] = []
  context.after(levelChanged.subscribe(({ state }) => void changes.push(state)))
  const hanging = new HangingStore()
  const store = new GuardedStore(hanging)
  context.after(() => store.stop(soon()))
  return { changes, hanging, store }
}

for (const [hangs, outcome, expected] of [
  [STORE_FAILURES_MAX - 1, 'is repeated at once, and the level stays', []],
  [STORE_FAILURES_MAX, 'takes the level away when it is the last of several in a row', ['down']],
] as const) {
  test(`a probe that is answered late ${outcome}`, async (context) => {
    const { changes, hanging, store } = guarded(context)
    hanging.hangs = hangs
    await store.start()
    assert.deepEqual([changes, hanging.hangs], [expected, 0])
  })
}

test('operations that one pause kept waiting together are one late answer', async (context) => {
  const { changes, hanging, store } = guarded(context)
  hanging.hangs = STORE_FAILURES_MAX * 4
  const late = await Promise.allSettled(Array.from({ length: hanging.hangs }, () => store.get('any')))
  assert.ok(late.every(({ status }) => status === 'rejected'))
  assert.deepEqual([await store.get('any'), changes], [undefined, []])
})

test('a delay of this process is no failure of Redis', { skip: redisMissing() }, async (context) => {
  const server = await startRedisServer()
  context.after(() => server.stop())
  const store = new GuardedStore(new RedisStore({ url: server.url, prefix: 'busy' }))
  context.after(() => store.stop(soon()))
  await store.start()
  // Once would do on a quiet machine; on a busy one Redis itself may be late now and then.
  await until(async () => {
    const answer = store.get('any')
    holdUpTheLoop()
    return (await answer.catch(() => 'late')) === undefined
  })
})

/** As a long computation would. */
function holdUpTheLoop(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STORE_TIMEOUT_MS * 2)
}
