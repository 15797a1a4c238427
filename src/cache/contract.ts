import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { systemClock } from '../core/index.ts'
import { type Entry, entryOf } from './entry.ts'
import type { Held, Store } from './store.ts'

/** What every level promises, run against real engines. */
export type StoreEngine = {
  readonly name: string
  /** Why this machine cannot run it. */
  readonly skip?: string | false
  /** A store that is empty and started. */
  open(): Promise<{ readonly store: Store; stop(): Promise<void> }>
  /** Polls until the condition holds; rejects when it never does. */
  until(condition: () => Promise<boolean>): Promise<unknown>
}

const MINUTE_MS = 60_000
const VALUES: readonly unknown[] = [
  null,
  false,
  0,
  -1.5e300,
  '',
  'naïve ☃ 🏄 \u0000 "quoted"',
  [],
  {},
  [1, [2, { deep: [null] }]],
  { name: 'Kite', priceCents: 500, nested: { tags: ['a'] } },
  JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1}'),
]

/** Keys that a careless store would mix up or break on. */
const KEYS = ['a', 'A', 'a ', 'a:b', 'a\r\nDEL a', '{a}', '*', 'ä', '☃'.repeat(500), '__proto__']

/** Registers the suite with node:test. */
export function storeContract(engine: StoreEngine): void {
  describe(`cache store: ${engine.name}`, { skip: engine.skip ?? false }, () => {
    let store: Store
    let stopEngine: () => Promise<void>

    before(async () => {
      const opened = await engine.open()
      store = opened.store
      stopEngine = opened.stop
    })

    after(async () => {
      await store?.stop({ deadlineAtMs: systemClock.now() + 1_000 })
      await stopEngine?.()
    })

    const found = async (key: string): Promise<Held> => {
      const held = await store.get(key)
      assert.ok(held !== undefined && held !== 'unreadable', `nothing under ${JSON.stringify(key)}`)
      return held
    }

    test('what was never set is not there', async () => {
      assert.equal(await store.get('never'), undefined)
    })

    test('an entry comes back as it was set, with what is left of its time', async () => {
      for (const [index, value] of VALUES.entries()) {
        const entry = entry0(value)
        await store.set(`value-${index}`, { entry, ttlMs: MINUTE_MS })
        const held = await found(`value-${index}`)
        assert.deepEqual(held.entry.value, entry.value)
        assert.deepEqual([held.entry.tags, held.entry.horizons], [entry.tags, entry.horizons])
        assert.ok(held.ttlMs > 0 && held.ttlMs <= MINUTE_MS, `${held.ttlMs} ms left`)
      }
      assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined, 'no prototype was touched')
    })

    test('a value that somebody tries to change stays as it is', async () => {
      await store.set('frozen', { entry: entry0({ list: [1] }), ttlMs: MINUTE_MS })
      const { value } = (await found('frozen')).entry as { value: { list: number[] } }
      assert.throws(() => value.list.push(2), TypeError)
      assert.deepEqual((await found('frozen')).entry.value, { list: [1] })
    })

    test('keys are kept apart, whatever is in them', async () => {
      for (const key of KEYS) await store.set(key, { entry: entry0(key), ttlMs: MINUTE_MS })
      for (const key of KEYS) assert.equal((await found(key)).entry.value, key)
    })

    test('the last entry of a key is the one that is kept', async () => {
      for (const value of [1, 2, 3]) await store.set('again', { entry: entry0(value), ttlMs: MINUTE_MS })
      assert.equal((await found('again')).entry.value, 3)
    })

    test('what is deleted is gone, and deleting it again is no error', async () => {
      await store.set('gone', { entry: entry0(1), ttlMs: MINUTE_MS })
      await store.delete('gone')
      await store.delete('gone')
      assert.equal(await store.get('gone'), undefined)
    })

    test('an entry is gone when its time is over', async () => {
      await store.set('short', { entry: entry0(1), ttlMs: 20 })
      await engine.until(async () => (await store.get('short')) === undefined)
    })

    test('a store that works says so', async () => {
      await store.ping()
    })
  })
}

function entry0(value: unknown): Entry {
  return entryOf(value, { tags: ['a', 'b:1'], horizons: [{ shard: 3, incarnation: '1.5/2', asOf: 2 ** 52 }] })
}
