import assert from 'node:assert/strict'
import { test } from 'node:test'
import { entryOf } from './entry.ts'
import { type FenceReport, Fences } from './fences.ts'
import { type Actor, CORRECT, ordersOf, type Rules, violationIn } from './fences-model-fixture.ts'
import { FENCE_SILENCE_MS } from './limits.ts'

const report = (parts: Partial<FenceReport> = {}): FenceReport => ({
  shard: 0,
  incarnation: 'first',
  watermark: 1,
  floor: 0,
  fences: [],
  askedAtMs: 0,
  ...parts,
})

const entry = (asOf: number, parts: { shard?: number; incarnation?: string; tags?: readonly string[] } = {}) => {
  const { shard = 0, incarnation = 'first', tags = ['a'] } = parts
  return entryOf('value', { tags, horizons: [{ shard, incarnation, asOf }] })
}

test('an entry is valid if and only if every fence of its tags is below its horizon', () => {
  const fences = new Fences()
  fences.hear(report())
  assert.equal(fences.verdict(entry(10), 0), 'valid')
  fences.raise(0, ['a', 'b'], 10)
  assert.equal(fences.verdict(entry(10), 0), 'fenced')
  assert.equal(fences.verdict(entry(11), 0), 'valid')
  assert.equal(fences.verdict(entry(10, { tags: ['c'] }), 0), 'valid')
  assert.equal(fences.verdict(entry(10, { tags: ['c', 'b'] }), 0), 'fenced')
})

test('fences never fall, whatever the order in which they are applied', () => {
  const fences = new Fences()
  fences.hear(report())
  fences.raise(0, ['a'], 20)
  fences.raise(0, ['a'], 5)
  fences.hear(report({ fences: [['a', 7]] }))
  assert.equal(fences.verdict(entry(20), 0), 'fenced')
  assert.equal(fences.verdict(entry(21), 0), 'valid')
})

test('nothing is served of a shard that was never heard of, or not for too long', () => {
  const fences = new Fences()
  assert.equal(fences.verdict(entry(10), 0), 'unheard')
  fences.hear(report({ askedAtMs: 1_000 }))
  assert.equal(fences.verdict(entry(10), 1_000 + FENCE_SILENCE_MS), 'valid')
  assert.equal(fences.verdict(entry(10), 1_001 + FENCE_SILENCE_MS), 'unheard')
})

test('another run of the server makes every entry of the former one worthless, and its fences too', () => {
  const fences = new Fences()
  fences.hear(report({ fences: [['a', 900]] }))
  fences.hear(report({ incarnation: 'second' }))
  assert.equal(fences.verdict(entry(1_000), 0), 'fenced')
  assert.equal(fences.verdict(entry(10, { incarnation: 'second' }), 0), 'valid')
})

test('fences that are forgotten for want of room become a floor: false misses, nothing stale', () => {
  const fences = new Fences(2)
  fences.hear(report())
  for (const [index, tag] of ['a', 'b', 'c'].entries()) fences.raise(0, [tag], 10 + index)
  assert.equal(fences.size, 2)
  assert.equal(fences.verdict(entry(10, { tags: ['a'] }), 0), 'fenced', 'the fence that was forgotten')
  assert.equal(fences.verdict(entry(10, { tags: ['never'] }), 0), 'fenced', 'a false miss')
  assert.equal(fences.verdict(entry(11, { tags: ['never'] }), 0), 'valid')
})

test('a fence on a shard that the value was not read from refuses it too: its rows may have moved there', () => {
  const fences = new Fences()
  fences.hear(report())
  fences.hear(report({ shard: 1 }))
  fences.raise(1, ['a'], 3)
  assert.equal(fences.verdict(entry(10), 0), 'fenced')
})

test('a reader is shown an entry only if it holds what the reader has seen, or all that was invalidated is known', () => {
  const fences = new Fences()
  fences.hear(report({ watermark: 50 }))
  assert.equal(fences.covers(entry(10), new Map([[0, 49]])), true, 'below the watermark every fence is known')
  assert.equal(fences.covers(entry(10), new Map([[0, 50]])), false)
  assert.equal(fences.covers(entry(51), new Map([[0, 50]])), true, 'read after it')
  assert.equal(fences.covers(entry(10), new Map([[1, 50]])), true, 'of another shard')
})

/** Small worlds whose every order of events is tried. */
const WORLDS: readonly (readonly Actor[])[] = [
  ['writer', 'reader-0', 'reader-1'],
  ['writer', 'writer', 'reader-0'],
  ['writer', 'reader-0', 'reader-1', 'follower'],
]

/** How many orders there are, and the first that goes wrong. */
function explore(rules: Rules): { readonly orders: number; readonly violation: string | undefined } {
  let orders = 0
  for (const actors of WORLDS) {
    for (const order of ordersOf(actors)) {
      orders += 1
      const violation = violationIn(actors, order, rules)
      if (violation !== undefined) return { orders, violation }
    }
  }
  return { orders, violation: undefined }
}

test('in every order of the steps of writers, readers and followers, nothing older is shown than was told of', (t) => {
  const { orders, violation } = explore(CORRECT)
  t.diagnostic(`${orders} orders`)
  assert.equal(violation, undefined)
  assert.equal(orders, 11_550 + 4_200 + 138_600)
})

class Unfenced extends Fences {
  override verdict(): 'valid' {
    return 'valid'
  }
}

const MUTANTS: readonly (readonly [name: string, rules: Rules])[] = [
  ['the comparison left out', { ...CORRECT, makeFences: () => new Unfenced() }],
  ['an entry stamped when it is stored', { ...CORRECT, horizonAt: 'at-fill' }],
  ['the next transaction for a horizon instead of the oldest under way', { ...CORRECT, horizon: 'next' }],
  ['a fence at the horizon taken for one below it', { ...CORRECT, horizon: 'oldest-under-way-included' }],
]

for (const [name, rules] of MUTANTS) {
  test(`the exploration finds what is wrong with ${name}`, () => {
    assert.notEqual(explore(rules).violation, undefined)
  })
}
