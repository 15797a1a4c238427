import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { until } from '../../testing/index.ts'
import { cacheEvicted } from '../channels.ts'
import { storeContract } from '../contract.ts'
import { entryOf } from '../entry.ts'
import { MemoryStore } from './memory.ts'

storeContract({
  name: 'memory',
  open: async () => ({ store: new MemoryStore(), stop: async () => {} }),
  until,
})

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const MEBIBYTE = 1_048_576

test('its bytes never exceed the bound, whatever comes, and what goes is told', () => {
  const store = new MemoryStore({ bytesMax: MEBIBYTE })
  const evicted: string[] = []
  const end = cacheEvicted.subscribe(({ cache }) => evicted.push(cache))
  for (let n = 0; n < 20_000; n++) {
    const entry = entryOf('x'.repeat(n % 1_000), { tags: [], horizons: [] })
    store.put(`goods:${n}`, { entry, ttlMs: 60_000 })
    assert.ok(store.bytes <= MEBIBYTE)
  }
  end()
  assert.equal(evicted.length + store.size, 20_000)
  assert.deepEqual(new Set(evicted), new Set(['goods']))
})

test('the bytes that it counts are no less than those it takes', (t) => {
  const values = [
    (n: number) => ({ sku: `sku-${n}`, name: `Product number ${n}`, priceCents: n, version: 1 }),
    (n: number) => ({ rows: Array.from({ length: 20 }, (_, row) => ({ id: row, text: `row ${row} of ${n}` })) }),
    (n: number) => `text ${n} `.repeat(50),
  ]
  for (const [index, make] of values.entries()) {
    const { counted, taken } = memoryOf(make)
    t.diagnostic(`kind ${index}: ${counted} bytes counted, ${taken} taken`)
    assert.ok(taken < counted, `kind ${index}: ${taken} bytes taken, ${counted} counted`)
  }
})

function memoryOf(make: (n: number) => unknown): { counted: number; taken: number } {
  const store = new MemoryStore()
  collect()
  const before = process.memoryUsage().heapUsed
  for (let n = 0; n < 5_000; n++) {
    const horizons = [{ shard: 0, incarnation: `${1.5 + n}/2`, asOf: n }]
    store.put(`goods:${n}`, { entry: entryOf(make(n), { tags: [`good:${n}`], horizons }), ttlMs: 60_000 })
  }
  collect()
  return { counted: store.bytes, taken: process.memoryUsage().heapUsed - before }
}
