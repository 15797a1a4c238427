import assert from 'node:assert/strict'
import { beforeEach, test } from 'node:test'
import { z } from 'zod'
import { until } from '../testing/index.ts'
import { type CacheDeclaration, cache, defaultCache, longTermCache } from './cache.ts'
import { type CacheSystem, createCaches } from './caches.ts'
import { fillRejected } from './channels.ts'
import { LOAD_FAILURE_KEPT_MS, VALUE_CHARS_MAX } from './limits.ts'

/** A reader that says how far it has read, if it is asked at all. */
type Reader = { read(): void }

const goods: CacheDeclaration<unknown> = cache('goods', { schema: z.unknown(), ttlMs: 60_000 })
const TAGGED = { tags: ['good'] }

let system: CacheSystem<Reader>
let loads = 0
/** The horizon of the next load. */
let asOf = 10

beforeEach(() => {
  loads = 0
  asOf = 10
  system = createCaches<Reader>({
    source: {
      open() {
        let horizons: readonly { shard: number; incarnation: string; asOf: number }[] = []
        const read = () => {
          horizons = [{ shard: 0, incarnation: 'first', asOf }]
        }
        return { reader: { read }, horizons: async () => horizons }
      },
    },
  })
  hear()
})

function hear(): void {
  const known = { shard: 0, incarnation: 'first', watermark: 1, floor: 0, fences: [] }
  system.fences.hear({ ...known, askedAtMs: performance.now() })
}

function load(value: unknown) {
  return async (reader: Reader) => {
    loads += 1
    reader.read()
    return value
  }
}

/** A load that waits until it is told what to answer. */
function heldLoad() {
  let answer: (value: unknown) => void = () => {}
  const value = new Promise((resolve) => {
    answer = resolve
  })
  return {
    answer: (given: unknown) => answer(given),
    load: (reader: Reader) => load(undefined)(reader).then(() => value),
  }
}

test('1,000 callers of a load that fails share one failure, which answers late-comers for a moment', async () => {
  const fail = async () => {
    loads += 1
    throw new Error('the database is away')
  }
  const ask = () => system.caches(goods).getOrLoad('a', TAGGED, fail)
  const outcomes = await Promise.allSettled(Array.from({ length: 1_000 }, ask))
  assert.ok(outcomes.every((outcome) => outcome.status === 'rejected'))
  assert.equal(loads, 1)
  // Unless the machine was too busy for that moment.
  await until(async () => {
    loads = 0
    await assert.rejects(ask(), /away/)
    await assert.rejects(ask(), /away/)
    return loads < 2
  })
  const failedAtMs = performance.now()
  await until(() => performance.now() - failedAtMs > LOAD_FAILURE_KEPT_MS)
  assert.equal(await system.caches(goods).getOrLoad('a', TAGGED, load(1)), 1)
})

test('who asks after an invalidation is not answered by a load that began before it, who asked before is', async () => {
  const held = heldLoad()
  const first = system.caches(goods).getOrLoad('a', TAGGED, held.load)
  await until(() => loads === 1, { what: 'the load has begun' })
  system.fences.raise(0, ['good'], 10)
  asOf = 11
  const late = system.caches(goods).getOrLoad('a', TAGGED, load('new'))
  held.answer('old')
  assert.deepEqual([await first, await late], ['old', 'new'])
  assert.equal(await system.caches(goods).get('a'), 'new')
})

test('a strong read asks no cache and joins no load', async () => {
  await system.caches(goods).getOrLoad('a', TAGGED, load('kept'))
  const fresh = await system.caches(goods).getOrLoad('a', { ...TAGGED, freshness: 'strong' }, load('fresh'))
  assert.deepEqual([fresh, await system.caches(goods).get('a')], ['fresh', 'fresh'])
})

test('a reader who has seen more than an entry holds is answered by a load, and others are served what it brings', async () => {
  await system.caches(goods).getOrLoad('a', TAGGED, load('old'))
  const seen = system.seeing(new Map([[0, 15]]))(goods)
  assert.equal(await seen.get('a'), undefined)
  asOf = 16
  assert.equal(await seen.getOrLoad('a', TAGGED, load('new')), 'new')
  assert.equal(await system.caches(goods).get('a'), 'new')
})

test('tags may come from the value itself', async () => {
  const options = { tags: (value: unknown) => [`maker:${(value as { maker: string }).maker}`] }
  await system.caches(goods).getOrLoad('a', options, load({ maker: 'ada' }))
  system.fences.raise(0, ['maker:grace'], 20)
  assert.deepEqual(await system.caches(goods).get('a'), { maker: 'ada' })
  system.fences.raise(0, ['maker:ada'], 20)
  assert.equal(await system.caches(goods).get('a'), undefined)
})

test('a load with tags that did not use its reader is refused: nothing could invalidate its value', async () => {
  const unfenced = system.caches(goods).getOrLoad('a', TAGGED, async () => 1)
  await assert.rejects(unfenced, { code: 'CACHE_LOAD_UNFENCED' })
})

test('null is kept, undefined is not', async () => {
  for (const value of [null, undefined]) {
    loads = 0
    const ask = () => system.caches(goods).getOrLoad(`key of ${value}`, TAGGED, load(value))
    assert.deepEqual([await ask(), await ask()], [value, value])
    assert.equal(loads, value === null ? 1 : 2)
  }
})

test('a value is the same on the load and on every hit after it, and cannot be changed', async () => {
  const given = { list: [1], none: undefined }
  const ask = () => system.caches(goods).getOrLoad('a', TAGGED, load(given))
  const first = await ask()
  assert.deepEqual(first, { list: [1] })
  assert.equal(await ask(), first)
  given.list.push(2)
  assert.throws(() => (first as typeof given).list.push(3), TypeError)
  assert.deepEqual(await ask(), { list: [1] })
})

test('what JSON would change is refused, with the place of it', async () => {
  const values = [new Date(0), { at: new Date(0) }, [1n], { n: Number.NaN }, new Map(), () => 1]
  for (const value of values) {
    await assert.rejects(system.caches(goods).getOrLoad('a', TAGGED, load(value)), { code: 'CACHE_VALUE_INVALID' })
  }
  await assert.rejects(system.caches(goods).set('a', { rows: [{ at: new Date(0) }] }), {
    message: /the value\.rows\[0\]\.at is a Date/,
  })
})

test('a value that is too large is answered and not kept', async () => {
  const reasons: string[] = []
  const end = fillRejected.subscribe(({ reason }) => reasons.push(reason))
  const text = 'x'.repeat(VALUE_CHARS_MAX)
  assert.equal(await system.caches(goods).getOrLoad('a', TAGGED, load(text)), text)
  end()
  assert.equal(await system.caches(goods).get('a'), undefined)
  assert.deepEqual(reasons, ['too-large'])
})

test('set, get and delete, until the time to live is over', async () => {
  const plain = system.caches(defaultCache)
  await plain.set('a', { n: 1 })
  assert.deepEqual(await plain.get('a'), { n: 1 })
  assert.equal(await system.caches(longTermCache).get('a'), undefined, 'another cache, another key')
  await plain.delete('a')
  assert.equal(await plain.get('a'), undefined)
  await plain.set('short', 1, 20)
  await until(async () => (await plain.get('short')) === undefined)
  assert.deepEqual([defaultCache.ttlMs, longTermCache.ttlMs], [300_000, 86_400_000])
})

test('keys, tags and times that cannot be are refused', async () => {
  const use = system.caches(goods)
  await assert.rejects(use.get(''), { code: 'CACHE_KEY_INVALID' })
  await assert.rejects(use.set('k'.repeat(513), 1), { code: 'CACHE_KEY_INVALID' })
  await assert.rejects(use.set('a', 1, 0), { code: 'CACHE_TTL_INVALID' })
  for (const tag of ['', 't'.repeat(201), 'a\0', '\ud800']) {
    await assert.rejects(use.getOrLoad('a', { tags: [tag] }, load(1)), { code: 'CACHE_TAGS_INVALID' })
  }
})

test('two caches of one name are refused', () => {
  system.caches(goods)
  const other = cache('goods', { schema: z.unknown(), ttlMs: 1 })
  assert.throws(() => system.caches(other), { code: 'CACHE_NAME_TAKEN' })
  assert.throws(() => cache('Not kebab', { schema: z.unknown(), ttlMs: 1 }), /kebab-case/)
})
