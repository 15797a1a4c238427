import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import type { GroundswellError } from '../core/index.ts'
import type { Cluster, Shard } from '../data/index.ts'
import { startTestCluster, type TestCluster } from '../testing/index.ts'
import {
  claimIdempotencyKeys,
  fingerprintOf,
  type IdempotencyOutcome,
  idempotencyKeyOf,
  purgeIdempotencyKeys,
  serviceMigrations,
} from './idempotency.ts'
import { PURGE_ROWS_MAX, PURGE_STATEMENTS_MAX } from './limits.ts'

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

test('a shard that fails does not keep the others from being purged, and is named', async () => {
  await claimAll(claim('other-shard', 1))
  const { cluster } = databases
  const failure = new Error('shard 1 is away')
  const broken = { query: () => Promise.reject(failure) } as unknown as Shard
  const partly = { ...cluster, shards: [broken, cluster.forBucket(2)] } as unknown as Cluster
  await assert.rejects(purgeIdempotencyKeys(partly, 0), (error: AggregateError) => {
    assert.deepEqual(error.errors, [failure])
    assert.match(error.message, /1 of 2 shards .*shard 1 is away/)
    return true
  })
  assert.deepEqual(await claimAll(claim('other-shard', 2)), [{ outcome: 'claimed' }])
})

test('a round of purging ends, whatever comes in meanwhile', async () => {
  let statements = 0
  const endless = {
    query: async () => {
      statements += 1
      return Array(PURGE_ROWS_MAX).fill({})
    },
  } as unknown as Shard
  const cluster = { shards: [endless] } as unknown as Cluster
  assert.equal(await purgeIdempotencyKeys(cluster, 0), PURGE_ROWS_MAX * PURGE_STATEMENTS_MAX)
  assert.equal(statements, PURGE_STATEMENTS_MAX)
})

test('the purge can find old keys without reading all', async () => {
  await databases.cluster.forBucket(2).transaction(async (tx) => {
    await tx.query('SET LOCAL enable_seqscan = off')
    const plan = await tx.query(
      `EXPLAIN SELECT ctid FROM groundswell.idempotency_key WHERE created_at < now() - interval '1 day' LIMIT 5000`,
    )
    assert.match(JSON.stringify(plan), /idempotency_key_created_at/)
  })
})

test('a fingerprint tells bodies apart, whatever the order of their members', () => {
  assert.equal(fingerprintOf({ a: 1, b: [{ c: 2, d: 3 }] }), fingerprintOf({ b: [{ d: 3, c: 2 }], a: 1 }))
  assert.notEqual(fingerprintOf(undefined), fingerprintOf(null))
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
