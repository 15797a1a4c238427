import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from '../src/testing/index.ts'
import { askEveryShard, clientOf, databaseUrlsOf, startShop, temporaryDataDir } from './shop-process.ts'

test('kill -9 while orders stream in: every order that got its 202 reaches a final state after a restart, once', async () => {
  const dataDir = await temporaryDataDir()
  try {
    const victim = await startShop(dataDir.path)
    const operator = await clientOf(victim, 'operator')
    const buyer = await clientOf(victim)
    assert.equal(
      (await operator('PUT', '/products/raft', { name: 'Raft', priceCents: 700, stock: 100_000 })).status,
      200,
    )
    const users = await Promise.all(
      Array.from({ length: 20 }, async (_, index) => {
        const created = await buyer('POST', '/users', { email: `crash-${index}@example.com`, name: 'Crash' })
        return created.body.id as number
      }),
    )
    const accepted = new Set<string>()
    const streams = Array.from({ length: 32 }, async (_, stream) => {
      for (let index = 0; ; index++) {
        const order = {
          userId: users[(stream + index) % users.length],
          lines: [{ sku: 'raft', quantity: 1 }],
          cardToken: index % 10 === 9 ? 'tok_declined' : 'tok_visa',
        }
        const answer = await buyer('POST', '/orders', order).catch(() => undefined)
        if (answer === undefined) return
        if (answer.status === 202) accepted.add(answer.body.orderId as string)
      }
    })
    await until(() => accepted.size >= 1_500, { timeoutMs: 60_000, what: '1,500 orders accepted' })
    victim.signal('SIGKILL')
    await Promise.all(streams)
    assert.equal(await victim.exited, 'SIGKILL')

    const survivor = await startShop(dataDir.path)
    const urls = await databaseUrlsOf(dataDir.path)
    const orders = await until(
      async () => {
        const rows = (
          await askEveryShard<{ order_id: string; status: string }>(urls, 'SELECT order_id, status FROM orders.orders')
        ).flat()
        return rows.every((row) => row.status === 'shipped' || row.status === 'rejected') ? rows : undefined
      },
      { timeoutMs: 120_000, what: 'every order in a final state' },
    )
    const byId = new Map(orders.map((row) => [row.order_id, row.status]))
    const lost = [...accepted].filter((id) => !byId.has(id))
    assert.deepEqual(lost, [], 'no accepted order is lost')
    assert.equal(byId.size, orders.length, 'no order twice')
    await assertEffectsOnce(urls, orders)
    survivor.signal('SIGTERM')
    assert.equal(await survivor.exited, 0)
  } finally {
    await dataDir.remove()
  }
})

async function assertEffectsOnce(urls: readonly string[], orders: readonly { status: string }[]): Promise<void> {
  const shipped = orders.filter((order) => order.status === 'shipped').length
  const total = async (text: string, databases = urls) => {
    const rows = await askEveryShard<{ count: string }>(databases, text)
    return rows.flat().reduce((sum, row) => sum + Number(row.count), 0)
  }
  assert.equal(await total(`SELECT count(*) FROM shipping.shipment`), shipped)
  await until(
    async () => {
      const kept = await total(
        `SELECT coalesce(sum(amount_cents), 0) AS count FROM payment_provider.charge WHERE state = 'charged'`,
      )
      return kept === shipped * 700
    },
    { timeoutMs: 60_000, what: 'money taken only for shipped orders' },
  )
  await until(
    async () =>
      (await total(`SELECT available AS count FROM inventory.stock WHERE sku = 'raft'`, urls.slice(0, 1))) ===
      100_000 - shipped,
    { timeoutMs: 60_000, what: 'stock given back for rejected orders' },
  )
}
