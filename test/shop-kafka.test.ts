import assert from 'node:assert/strict'
import { test } from 'node:test'
import { kafkaMissing, startKafkaServer, until } from '../src/testing/index.ts'
import { clientOf, run, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'

test('with EVENTS_URL the shop’s events go through Kafka: an order ends shipped, and lag is shown per partition', {
  skip: await kafkaMissing(),
}, async () => {
  const dataDir = await temporaryDataDir()
  const kafka = await startKafkaServer()
  let shop: ShopProcess | undefined
  try {
    const env = { EVENTS_URL: kafka.url, EVENTS_PARTITIONS: '2' }
    shop = await startShop(dataDir.path, { env })
    const operator = await clientOf(shop, 'operator')
    const buyer = await clientOf(shop)
    await operator('PUT', '/products/kayak', { name: 'Kayak', priceCents: 70_000, stock: 10 })
    const user = await buyer('POST', '/users', { email: 'kafka@example.com', name: 'Kafka' })
    const order = { userId: user.body.id, lines: [{ sku: 'kayak', quantity: 1 }], cardToken: 'tok_visa' }
    const placed = await buyer('POST', '/orders', order)
    assert.equal(placed.status, 202)
    const path = `/orders/${placed.body.orderId}`
    await until(async () => (await buyer('GET', path)).body.status === 'shipped', {
      timeoutMs: 60_000,
      what: 'the order is shipped',
    })
    const shown = await run(['events', 'lag', '--json'], { DATA_DIR: dataDir.path, ...env })
    assert.equal(shown.code, 0, shown.stderr)
    const { groups, partitions } = JSON.parse(shown.stdout) as { groups: { group: string }[]; partitions: Row[] }
    assert.ok(groups.every(({ group }) => group === '~broker'))
    assert.deepEqual(
      partitions.filter(({ group, topic }) => group === 'payment-service' && topic === 'order.placed').map(partitionOf),
      [0, 1],
    )
    shop.signal('SIGTERM')
    assert.equal(await shop.exited, 0)
  } finally {
    shop?.signal('SIGKILL')
    await kafka.stop()
    await dataDir.remove()
  }
})

type Row = { readonly group: string; readonly topic: string; readonly partition: number }

function partitionOf({ partition }: Row): number {
  return partition
}
