import assert from 'node:assert/strict'
import { after, before, beforeEach, test } from 'node:test'
import { newId } from 'groundswell'
import { startTestCluster } from 'groundswell/testing'
import { type Reserving, release, reserve } from './reservation.ts'

let databases: Awaited<ReturnType<typeof startTestCluster>>

before(async () => {
  const folder = new URL('./migrations/', import.meta.url)
  databases = await startTestCluster({
    shards: 1,
    migrations: [{ owner: 'inventory-service', folder, placement: 'home' }],
  })
})

after(() => databases.stop())

beforeEach(async () => {
  await databases.cluster.home.query(`DELETE FROM inventory.stock`)
  await databases.cluster.home.query(`INSERT INTO inventory.stock VALUES ('a', 100), ('b', 100)`)
})

const order = (...lines: [string, number][]): Reserving => ({
  orderId: newId(),
  lines: lines.map(([sku, quantity]) => ({ sku, quantity })),
})
const reserveAll = (orders: readonly Reserving[]) => databases.cluster.home.transaction((tx) => reserve(tx, orders))
const releaseAll = (orders: readonly Reserving[]) => databases.cluster.home.transaction((tx) => release(tx, orders))

async function stock(): Promise<Record<string, number>> {
  const rows = await databases.cluster.home.query<{ sku: string; available: number }>(`SELECT * FROM inventory.stock`)
  return Object.fromEntries(rows.map(({ sku, available }) => [sku, available]))
}

test('batches at once, with their products in opposite orders, sell exactly what there is', async () => {
  const batches = Array.from({ length: 10 }, (_, batch) =>
    Array.from({ length: 15 }, () => (batch % 2 === 0 ? order(['a', 1], ['b', 1]) : order(['b', 1], ['a', 1]))),
  )
  const allocations = (await Promise.all(batches.map(reserveAll))).flat()
  assert.equal(allocations.filter(({ state }) => state === 'reserved').length, 100)
  assert.equal(allocations.filter(({ state }) => state === 'rejected').length, 50)
  assert.deepEqual(await stock(), { a: 0, b: 0 })
})

test('a release gives back what was reserved, once, and nothing of what was not', async () => {
  const [bought, soldOut] = [order(['a', 60], ['b', 10]), order(['a', 60])]
  await reserveAll([bought, soldOut])
  assert.deepEqual(await stock(), { a: 40, b: 90 })
  await releaseAll([bought, soldOut])
  await releaseAll([bought])
  assert.deepEqual(await stock(), { a: 100, b: 100 })
})

test('an order released before it was reserved reserves nothing', async () => {
  const early = order(['a', 1])
  await releaseAll([early])
  assert.deepEqual(await reserveAll([early]), [])
  assert.deepEqual(await stock(), { a: 100, b: 100 })
})

test('whichever of reserve and release comes first, the stock is whole in the end', async () => {
  const orders = Array.from({ length: 40 }, () => order(['a', 2], ['b', 1]))
  await Promise.all(
    orders.flatMap((one, index) =>
      index % 2 === 0 ? [reserveAll([one]), releaseAll([one])] : [releaseAll([one]), reserveAll([one])],
    ),
  )
  assert.deepEqual(await stock(), { a: 100, b: 100 })
})
