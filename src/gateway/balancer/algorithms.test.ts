import assert from 'node:assert/strict'
import { test } from 'node:test'
import { randomSequence } from '../../core/index.ts'
import { Address } from './address.ts'
import { leastConnections, powerOfTwoChoices, rendezvous, smoothRoundRobin } from './algorithms.ts'
import { hashOf } from './hash.ts'

/** Addresses by name and weight. */
function addressesOf(weights: Readonly<Record<string, number>>): Address[] {
  return Object.entries(weights).map(
    ([host, weight]) => new Address({ target: `${host}:8000`, host, port: 8000, ip: host }, weight),
  )
}

function tally(picks: readonly Address[]): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(Object.groupBy(picks, ({ place }) => place.host)).map(([host, all]) => [host, all?.length ?? 0]),
  )
}

const times = <T>(count: number, run: (index: number) => T) => Array.from({ length: count }, (_, index) => run(index))

test('round robin spreads the turns of a heavy address', () => {
  const addresses = addressesOf({ a: 5, b: 1, c: 1 })
  assert.equal(times(7, () => smoothRoundRobin(addresses).place.host).join(''), 'aabacaa')
})

test('round robin is exact over as many requests as the weights sum up to', () => {
  const addresses = addressesOf({ a: 100, b: 50, c: 7 })
  const picks = times(157 * 3, () => smoothRoundRobin(addresses))
  assert.deepEqual(tally(picks), { a: 300, b: 150, c: 21 })
})

test('the address with the fewest requests under way for its weight is next', () => {
  const addresses = addressesOf({ a: 200, b: 100 })
  const [a, b] = addresses as [Address, Address]
  a.inFlight = 4
  b.inFlight = 1
  assert.equal(leastConnections(addresses), b)
  b.inFlight = 2
  assert.equal(leastConnections(addresses), a)
})

test('addresses that are equally busy take turns', () => {
  const addresses = addressesOf({ a: 100, b: 100, c: 100 })
  assert.deepEqual(tally(times(9, () => leastConnections(addresses))), { a: 3, b: 3, c: 3 })
})

test('of two addresses the one that answers sooner is chosen, until its queue outweighs that', () => {
  const addresses = addressesOf({ slow: 100, fast: 100 })
  const [slow, fast] = addresses as [Address, Address]
  slow.latency.observe(100, 1)
  fast.latency.observe(10, 1)
  const random = randomSequence(7)
  assert.deepEqual(tally(times(100, () => powerOfTwoChoices(addresses, random))), { fast: 100 })
  fast.inFlight = 10
  assert.deepEqual(tally(times(100, () => powerOfTwoChoices(addresses, random))), { slow: 100 })
})

test('latency-aware draws follow the weights while latencies are alike', () => {
  const addresses = addressesOf({ a: 300, b: 100, c: 100 })
  for (const { latency } of addresses) latency.observe(10, 1)
  const seed = 11
  const random = randomSequence(seed)
  const { a = 0 } = tally(times(20_000, () => powerOfTwoChoices(addresses, random)))
  // Of equals the first drawn stays: 0.6 of 20,000, five standard deviations to each side.
  assert.ok(Math.abs(a - 12_000) < 5 * Math.sqrt(20_000 * 0.6 * 0.4), `seed ${seed}: ${a}`)
})

test('consistent hashing honours weights within statistical bounds', () => {
  const addresses = addressesOf({ a: 100, b: 50, c: 50 })
  const counts = tally(times(20_000, (index) => rendezvous(addresses, hashOf(`user-${index}`))))
  for (const [host, share] of Object.entries({ a: 0.5, b: 0.25, c: 0.25 })) {
    const bound = 5 * Math.sqrt(20_000 * share * (1 - share))
    assert.ok(Math.abs((counts[host] ?? 0) - 20_000 * share) < bound, `${host}: ${counts[host]}`)
  }
})

test('only the keys of a removed target move, and they spread over the others', () => {
  const addresses = addressesOf({ a: 100, b: 100, c: 100, d: 100 })
  const keys = times(8_000, (index) => hashOf(`user-${index}`))
  const before = keys.map((key) => rendezvous(addresses, key).place.host)
  const left = addresses.filter(({ place }) => place.host !== 'c')
  const after = keys.map((key) => rendezvous(left, key))
  assert.deepEqual(
    before.filter((host, index) => host !== 'c' && host !== after[index]?.place.host),
    [],
  )
  const moved = tally(after.filter((_, index) => before[index] === 'c'))
  const total = Object.values(moved).reduce((sum, count) => sum + count, 0)
  for (const [host, count] of Object.entries(moved)) {
    assert.ok(Math.abs(count - total / 3) < 5 * Math.sqrt((total * 2) / 9), `${host}: ${count} of ${total}`)
  }
  assert.deepEqual(Object.keys(moved).sort(), ['a', 'b', 'd'])
})

test('more weight for a target only draws keys to it', () => {
  const addresses = addressesOf({ a: 100, b: 100 })
  const keys = times(1_000, (index) => hashOf(`user-${index}`))
  const before = keys.map((key) => rendezvous(addresses, key).place.host)
  for (const address of addresses) if (address.place.host === 'b') address.weight = 200
  const after = keys.map((key) => rendezvous(addresses, key).place.host)
  assert.ok(before.every((host, index) => host === 'a' || after[index] === 'b'))
})
