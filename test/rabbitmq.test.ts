import assert from 'node:assert/strict'
import { test } from 'node:test'
import { rabbitMqMissing, startRabbitMqServer, until } from '../src/testing/index.ts'
import { askEveryShard, clientOf, databaseUrlsOf, startShop, temporaryDataDir } from './shop-process.ts'

const ORDERS = 60

test('the shop on RabbitMQ: orders are accepted while it is down, and all end, each shipped once', {
  skip: rabbitMqMissing(),
}, async () => {
  const rabbit = await startRabbitMqServer()
  const dataDir = await temporaryDataDir()
  try {
    const shop = await startShop(dataDir.path, { env: { EVENTS_URL: rabbit.url, EVENTS_PARTITIONS: '2' } })
    const operator = await clientOf(shop, 'operator')
    const buyer = await clientOf(shop)
    await operator('PUT', '/products/raft', { name: 'Raft', priceCents: 700, stock: 1_000 })
    const { body } = await buyer('POST', '/users', { email: 'rabbit@example.com', name: 'Rabbit' })
    const order = async () => {
      const placed = { userId: body.id, lines: [{ sku: 'raft', quantity: 1 }], cardToken: 'tok_visa' }
      const answer = await buyer('POST', '/orders', placed)
      assert.equal(answer.status, 202, shop.output())
    }
    const urls = await databaseUrlsOf(dataDir.path)
    const shipped = async () => {
      const rows = await askEveryShard<{ status: string }>(urls, 'SELECT status FROM orders.orders')
      return rows.flat().filter((row) => row.status === 'shipped').length
    }
    for (let index = 0; index < ORDERS / 3; index++) await order()
    await until(async () => (await shipped()) === ORDERS / 3, { timeoutMs: 60_000, what: 'the first orders shipped' })

    for (let index = 0; index < ORDERS / 3; index++) await order()
    await rabbit.kill()
    for (let index = 0; index < ORDERS / 3; index++) await order()
    await rabbit.restart()
    await until(async () => (await shipped()) === ORDERS, { timeoutMs: 120_000, what: 'all orders shipped' })
    const shipments = (await askEveryShard(urls, 'SELECT order_id FROM shipping.shipment')).flat()
    assert.equal(shipments.length, ORDERS)
    shop.signal('SIGTERM')
    assert.equal(await shop.exited, 0, shop.output())
  } finally {
    await rabbit.stop()
    await dataDir.remove()
  }
})
