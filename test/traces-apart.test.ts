import assert from 'node:assert/strict'
import { test } from 'node:test'
import shop from '../examples/shop/app.ts'
import { startApp } from '../src/runtime/index.ts'
import { until } from '../src/testing/index.ts'
import { type Collector, startCollector } from './collector.ts'
import { ORDER_TREE, treeOf } from './order-tree.ts'
import { clientOf, type ShopProcess, startShop, temporaryDataDir } from './shop-process.ts'
import { startTestDatabases } from './test-databases.ts'

const TRACE = '1'.padStart(32, 'f')
const CLIENT = 'b7ad6b7169203331'
const REST = ['user-service', 'user-profile-service', 'product-service', 'inventory-service', 'email-service']

test('over four processes an order is one tree, in the console’s process and in a collector', async () => {
  const databases = await startTestDatabases(2)
  const dataDir = await temporaryDataDir()
  const collector = await startCollector()
  const running: ShopProcess[] = []
  const where = { urls: databases.urls, dataDir: dataDir.path, running, collector }
  try {
    const { gateway, stop } = await startFour(where)
    try {
      const buyer = await clientOf(gateway)
      const user = (await buyer('POST', '/users', { email: 'apart@example.com', name: 'Apart' })).body.id as number
      const goods = (await buyer('GET', '/products')).body.products as { sku: string }[]
      const order = { userId: user, lines: [{ sku: goods[0]?.sku, quantity: 1 }], cardToken: 'tok_visa' }
      // By the first order the order service learns of customer and product, if it has not heard of them yet.
      assert.equal((await buyer('POST', '/orders', order)).status, 202)
      const answer = await buyer('POST', '/orders', order, { traceparent: `00-${TRACE}-${CLIENT}-01` })
      assert.equal(answer.status, 202)
      const spans = () => gateway.telemetry.trace(TRACE)
      await until(() => spans().length === ORDER_TREE.length, { what: 'as many spans as an order makes' })
      assert.deepEqual(treeOf(spans(), CLIENT), ORDER_TREE)
      const exported = () => collector.spans.filter(({ traceId }) => traceId === TRACE)
      await until(() => exported().length === ORDER_TREE.length, { what: 'all of them in the collector' })
      const identities = (list: readonly { spanId: string; parentSpanId?: string | undefined; service: string }[]) =>
        list.map(({ spanId, parentSpanId, service }) => `${parentSpanId} ${spanId} ${service}`).sort()
      assert.deepEqual(identities(exported()), identities(spans()))
    } finally {
      await stop()
    }
  } finally {
    for (const process of running) process.signal('SIGTERM')
    const codes = await Promise.all(running.map((process) => process.exited))
    assert.deepEqual(
      codes,
      running.map(() => 0),
    )
    await collector.close()
    await databases.stop()
    await dataDir.remove()
  }
})

type Where = {
  readonly urls: readonly string[]
  readonly dataDir: string
  readonly running: ShopProcess[]
  readonly collector: Collector
}

/** Three processes, and the fourth, with gateway and console, in here: so that its memory can be asked. */
async function startFour({ urls, dataDir, running, collector }: Where) {
  const shared = {
    DATABASE_URLS: urls.join(','),
    CONNECTIONS_MAX: '16',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
  }
  const start = async (only: readonly string[], env: Record<string, string> = {}) => {
    const process = await startShop(dataDir, { args: ['--only', only.join(',')], env: { ...shared, ...env } })
    running.push(process)
    return process.services
  }
  const rest = await start([...REST, 'shipping-service'])
  const origins = Object.fromEntries(REST.map((name) => [`${name.replaceAll('-', '_').toUpperCase()}_URL`, rest]))
  const orders = await start(['order-service'], origins)
  await start(['payment-service'], origins)
  const env = {
    ...shared,
    ...origins,
    ORDER_SERVICE_URL: orders,
    GATEWAY_PORT: '0',
    ADMIN_PORT: '0',
    CONSOLE_PORT: '0',
  }
  const app = await startApp(shop, { env, only: ['gateway', 'console'], log: () => {} })
  const { gateway = '', admin = '' } = app.addresses
  return { gateway: { gateway, admin, telemetry: app.telemetry }, stop: () => app.stop() }
}
