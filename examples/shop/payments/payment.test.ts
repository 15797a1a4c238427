import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { bucketOf, newId } from 'groundswell'
import { startTestCluster } from 'groundswell/testing'
import { isCancelled, rememberCancelled } from './cancellations.ts'
import { cancelPayments, findCancelled, recordCharges, recordRefunds } from './payment.ts'
import { simulatedProvider } from './simulated-provider.ts'

const userId = 7
let databases: Awaited<ReturnType<typeof startTestCluster>>

before(async () => {
  const folder = new URL('./migrations/', import.meta.url)
  databases = await startTestCluster({
    shards: 2,
    migrations: [{ owner: 'payment-service', folder, placement: 'sharded' }],
  })
})

after(() => databases.stop())

const shard = () => databases.cluster.forKey(userId)
const newOrder = () => ({ orderId: newId(bucketOf(userId)), userId })
const charged = (order: { orderId: string; userId: number }, state: 'authorized' | 'declined' = 'authorized') => [
  { ...order, amountCents: 500, chargeKey: newId(), state },
]
const statesOf = (rows: readonly { state: string }[]) => rows.map(({ state }) => state)

test('an order rejected after its charge is due for refund, once', async () => {
  const order = newOrder()
  assert.deepEqual(statesOf(await shard().transaction((tx) => recordCharges(tx, charged(order)))), ['authorized'])
  const [due] = await shard().transaction((tx) => cancelPayments(tx, [order]))
  assert.equal(due?.amountCents, 500)
  assert.deepEqual(await shard().transaction((tx) => cancelPayments(tx, [order])), [])
  await shard().transaction((tx) => recordRefunds(tx, [order]))
  assert.deepEqual(await shard().transaction((tx) => cancelPayments(tx, [order])), [])
})

test('an order rejected before its charge is not charged, and a charge that raced is due for refund', async () => {
  const order = newOrder()
  assert.equal(await shard().write(findCancelled, order), false)
  assert.deepEqual(statesOf(await shard().transaction((tx) => cancelPayments(tx, [order]))), ['cancelled'])
  assert.equal(await shard().write(findCancelled, order), true)
  const [row] = await shard().transaction((tx) => recordCharges(tx, charged(order)))
  assert.equal(row?.state, 'refunding')
  assert.equal(row?.amountCents, 500)
})

test('a declined payment of a rejected order is due for nothing, whichever is first', async () => {
  const [first, second] = [newOrder(), newOrder()]
  await shard().transaction((tx) => recordCharges(tx, charged(first, 'declined')))
  const cancelled = await shard().transaction((tx) => cancelPayments(tx, [first, second]))
  assert.deepEqual(
    cancelled.map(({ orderId, state }) => [orderId, state]),
    [[second.orderId, 'cancelled']],
  )
  assert.deepEqual(await shard().transaction((tx) => recordCharges(tx, charged(second, 'declined'))), [])
})

test('a cancelled payment is known from memory, and from the database where it is older than the memory', async () => {
  const [remembered, older, other] = [newOrder(), newOrder(), newOrder()]
  assert.equal(await isCancelled(databases.cluster, { ...other, placedAtMs: 0 }), false)
  const later = Date.now() + 60_000
  rememberCancelled(databases.cluster, [remembered.orderId])
  await shard().transaction((tx) => cancelPayments(tx, [older]))
  assert.equal(await isCancelled(databases.cluster, { ...remembered, placedAtMs: later }), true)
  assert.equal(await isCancelled(databases.cluster, { ...older, placedAtMs: 0 }), true)
  assert.equal(await isCancelled(databases.cluster, { ...other, placedAtMs: later }), false)
})

test('the provider charges a key once and refunds it once, however often it is asked', async () => {
  const provider = simulatedProvider(databases.cluster)
  const { signal } = new AbortController()
  const request = { idempotencyKey: newId(), userId, amountCents: 900, cardToken: 'tok_visa', signal }
  const answers = await Promise.all(Array.from({ length: 20 }, () => provider.charge(request)))
  assert.deepEqual(new Set(answers), new Set(['approved']))
  assert.equal(await netCents(), 900)
  await Promise.all([1, 2, 3].map(() => provider.refund({ chargeKey: request.idempotencyKey, userId, signal })))
  assert.equal(await netCents(), 0)
  assert.equal(await provider.charge(request), 'approved')
  assert.equal(await netCents(), 0)
})

test('the card token decides', async () => {
  const provider = simulatedProvider(databases.cluster)
  const { signal } = new AbortController()
  const charge = (cardToken: string, idempotencyKey = newId()) =>
    provider.charge({ idempotencyKey, userId, amountCents: 100, cardToken, signal })
  assert.equal(await charge('tok_declined'), 'declined')
  assert.equal(await charge('tok_unheard_of'), 'declined')
  assert.equal(await charge('tok_slow'), 'approved')
  const key = newId()
  await assert.rejects(charge('tok_fail_once', key), /try again/)
  assert.equal(await charge('tok_fail_once', key), 'approved')
  const lost = newId()
  await assert.rejects(charge('tok_fail', lost))
  await assert.rejects(charge('tok_fail', lost))
  assert.equal(await netCents(), 200)
})

async function netCents(): Promise<number> {
  const [row] = await shard().query<{ net: number }>(
    `SELECT coalesce(sum(amount_cents), 0)::bigint AS net FROM payment_provider.charge WHERE state = 'charged'`,
  )
  return row?.net ?? Number.NaN
}
