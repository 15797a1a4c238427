import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { GroundswellError } from '../core/index.ts'
import { startTestCluster, type TestCluster } from '../testing/index.ts'
import {
  claimIdempotencyKeys,
  fingerprintOf,
  type IdempotencyOutcome,
  idempotencyKeyOf,
  purgeIdempotencyKeys,
  serviceMigrations,
} from './idempotency.ts'

let databases: TestCluster

before(async () => {
  databases = await startTestCluster({ shards: 2, migrations: [serviceMigrations] })
})

after(() => databases.stop())

const claim = (key: string, response: unknown, body: unknown = 'body') => ({
  bucket: 2,
  scope: 'orders:2',
  key,
  fingerprint: fingerprintOf(body),
  response,
})

function claimAll(...claims: ReturnType<typeof claim>[]): Promise<readonly IdempotencyOutcome[]> {
  return databases.cluster.forBucket(2).transaction((tx) => claimIdempotencyKeys(tx, claims))
}

test('a key is claimed once, replayed for the same body and refused for another', async () => {
  assert.deepEqual(await claimAll(claim('a', { order: 1 })), [{ outcome: 'claimed' }])
  assert.deepEqual(await claimAll(claim('a', { order: 2 }), claim('b', { order: 3 }), claim('a', 0, 'other')), [
    { outcome: 'replay', response: { order: 1 } },
    { outcome: 'claimed' },
    { outcome: 'mismatch' },
  ])
  assert.deepEqual(await claimAll(), [])
})

test('a key that occurs twice in a batch is claimed by the first', async () => {
  assert.deepEqual(await claimAll(claim('twice', 1), claim('twice', 2), claim('twice', 3, 'other')), [
    { outcome: 'claimed' },
    { outcome: 'replay', response: 1 },
    { outcome: 'mismatch' },
  ])
})

test('of many transactions at once one claims a key, and all others replay its answer', async () => {
  const outcomes = await Promise.all(Array.from({ length: 30 }, (_, index) => claimAll(claim('rush', index))))
  const claimed = outcomes.flatMap(([outcome], index) => (outcome?.outcome === 'claimed' ? [index] : []))
  assert.equal(claimed.length, 1)
  for (const [index, [outcome]] of outcomes.entries()) {
    if (index !== claimed[0]) assert.deepEqual(outcome, { outcome: 'replay', response: claimed[0] })
  }
})

test('batches that claim the same keys in opposite orders do not deadlock', async () => {
  const keys = Array.from({ length: 50 }, (_, index) => `crossed-${index}`)
  const forth = keys.map((key) => claim(key, 1))
  const rounds = Array.from({ length: 8 }, (_, index) => claimAll(...(index % 2 === 0 ? forth : forth.toReversed())))
  const outcomes = (await Promise.all(rounds)).flat()
  assert.equal(outcomes.filter(({ outcome }) => outcome === 'claimed').length, keys.length)
})

test('a key whose transaction rolled back is free again', async () => {
  const failing = databases.cluster.forBucket(2).transaction(async (tx) => {
    await claimIdempotencyKeys(tx, [claim('undone', 1)])
    throw new Error('no')
  })
  await assert.rejects(failing, /no/)
  assert.deepEqual(await claimAll(claim('undone', 2)), [{ outcome: 'claimed' }])
})

test('keys past their time are purged, on every shard', async () => {
  await claimAll(claim('old', 1))
  assert.equal(await purgeIdempotencyKeys(databases.cluster, 3_600_000), 0)
  assert.ok((await purgeIdempotencyKeys(databases.cluster, 0)) >= 1)
  assert.deepEqual(await claimAll(claim('old', 2)), [{ outcome: 'claimed' }])
})

test('a fingerprint tells bodies apart, whatever the order of their members', () => {
  assert.equal(fingerprintOf({ a: 1, b: [{ c: 2, d: 3 }] }), fingerprintOf({ b: [{ d: 3, c: 2 }], a: 1 }))
  assert.notEqual(fingerprintOf({ a: [1, 2] }), fingerprintOf({ a: [2, 1] }))
})

test('an Idempotency-Key is visible ASCII of 1 to 255 characters', () => {
  assert.equal(idempotencyKeyOf({}), undefined)
  assert.equal(idempotencyKeyOf({ 'idempotency-key': 'x'.repeat(255) }), 'x'.repeat(255))
  for (const key of ['', 'x'.repeat(256), 'two words', 'schlüssel', 'line\nbreak']) {
    assert.throws(
      () => idempotencyKeyOf({ 'idempotency-key': key }),
      (error: GroundswellError) => error.code === 'SERVICE_IDEMPOTENCY_KEY_INVALID' && error.status === 400,
    )
  }
})
