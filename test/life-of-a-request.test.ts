import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import shop from '../examples/shop/app.ts'
import { transactionFacts } from '../src/data/index.ts'
import { appended, delivered } from '../src/events/index.ts'
import { requestFinished } from '../src/gateway/index.ts'
import { type RunningApp, startApp } from '../src/runtime/index.ts'
import { until } from '../src/testing/index.ts'
import { ORDER_TREE, treeOf } from './order-tree.ts'
import { askEveryShard, clientOf, databaseUrlsOf, temporaryDataDir } from './shop-process.ts'

/**
 * docs/architecture.md, "Life of one request", step by step: what the parts publish, and what PostgreSQL then holds.
 */
const TRACE = '0af7651916cd43dd8448eb211c80319c'

let dataDir: Awaited<ReturnType<typeof temporaryDataDir>>
let running: RunningApp
let gateway: string
let buyer: Awaited<ReturnType<typeof clientOf>>

before(async () => {
  dataDir = await temporaryDataDir()
  const env = { GATEWAY_PORT: '0', ADMIN_PORT: '0', CONSOLE_PORT: '0', DATA_DIR: dataDir.path }
  running = await startApp(shop, { env, log: () => {} })
  gateway = running.addresses.gateway ?? ''
  buyer = await clientOf({ gateway, admin: running.addresses.admin ?? '' })
})

after(async () => {
  await running?.stop()
  await dataDir.remove()
})

test('one order goes through the steps of the architecture page in their order, joined by one trace id', async () => {
  const user = (await buyer('POST', '/users', { email: 'life@example.com', name: 'Life' })).body.id as number
  const goods = (await buyer('GET', '/products')).body.products as { sku: string }[]
  const order = { userId: user, lines: [{ sku: goods[0]?.sku, quantity: 1 }], cardToken: 'tok_visa' }
  assert.equal((await buyer('POST', '/orders', order)).status, 202)
  const urls = await databaseUrlsOf(dataDir.path)
  await until(async () => (await statuses(urls)).every((status) => status === 'shipped'))

  const steps: string[] = []
  const note = (step: string) => void (steps.includes(step) || steps.push(step))
  const shard = user % urls.length
  const unsubscribe = [
    transactionFacts.subscribe((fact) => {
      if (fact.outcome === 'committed' && fact.shard === shard && steps.length === 0) note('data')
    }),
    requestFinished.subscribe((fact) => {
      if (fact.traceparent?.includes(TRACE))
        note(`answer ${fact.status} ${fact.consumer === undefined ? 'nobody' : 'consumer'}`)
    }),
    appended.subscribe((fact) => {
      if (fact.shard === shard) note('sequence')
    }),
    delivered.subscribe((fact) => {
      if (fact.source === shard && fact.group === 'payment-service') note('deliver')
    }),
  ]
  const answer = await buyer('POST', '/orders', order, { traceparent: `00-${TRACE}-b7ad6b7169203331-01` })
  assert.equal(answer.status, 202)
  assert.equal(answer.headers.get('location'), `/orders/${answer.body.orderId}`)
  await until(async () => (await statuses(urls)).every((status) => status === 'shipped'))
  for (const end of unsubscribe) end()
  const index = (step: string) => steps.findIndex((seen) => seen.startsWith(step))
  assert.ok(index('data') === 0, `the commit comes first: ${steps}`)
  assert.ok(steps.includes('answer 202 consumer'), `the gateway knew who asked: ${steps}`)
  assert.ok(index('sequence') > index('data') && index('deliver') > index('sequence'), steps.join(', '))

  const traced = (
    await askEveryShard<{ topic: string; shard: number }>(
      urls,
      `SELECT DISTINCT topic FROM groundswell.log_segment JOIN groundswell.segment ON segment.id = log_segment.segment,
         jsonb_array_elements(records::jsonb) AS record
       WHERE record->>4 LIKE '%' || $1 || '%'`,
      [TRACE],
    )
  )
    .flat()
    .map(({ topic }) => topic)
    .sort()
  assert.deepEqual(traced, [
    'order.confirmed',
    'order.placed',
    'payment.authorized',
    'shipment.dispatched',
    'stock.reserved',
  ])
  const history = (await buyer('GET', `/orders/${answer.body.orderId}`)).body.history as { status: string }[]
  assert.equal(history[0]?.status, 'placed')
  assert.equal(history.at(-1)?.status, 'shipped')
})

test('the spans of an order are one tree, from the client’s request to the last consumer', async () => {
  const user = (await buyer('POST', '/users', { email: 'tree@example.com', name: 'Tree' })).body.id as number
  const goods = (await buyer('GET', '/products')).body.products as { sku: string }[]
  const order = { userId: user, lines: [{ sku: goods[0]?.sku, quantity: 1 }], cardToken: 'tok_visa' }
  // By the first order the order service learns of customer and product, if it has not heard of them yet.
  assert.equal((await buyer('POST', '/orders', order)).status, 202)
  const [trace, client] = ['a'.repeat(32), 'b7ad6b7169203331']
  const answer = await buyer('POST', '/orders', order, { traceparent: `00-${trace}-${client}-01` })
  assert.equal(answer.status, 202)
  const spans = () => running.telemetry.trace(trace)
  await until(() => spans().length === ORDER_TREE.length, { what: 'as many spans as an order makes' })
  assert.deepEqual(treeOf(spans(), client), ORDER_TREE)
  assert.ok(spans().every(({ failed, durationMs }) => !failed && durationMs >= 0))
  const kept = running.telemetry.traces(100).find(({ traceId }) => traceId === trace)
  assert.deepEqual([kept?.name, kept?.failed, kept?.spans], ['POST /orders', false, ORDER_TREE.length])
})

test('each step has its error exit, and nothing behind it has seen the request', async () => {
  const urls = await databaseUrlsOf(dataDir.path)
  const before = (await statuses(urls)).length
  const order = { userId: 1, lines: [{ sku: 'poncho', quantity: 1 }], cardToken: 'tok_visa' }
  const exits: [string, number, () => Promise<{ status: number }>][] = [
    ['accept: no route', 404, () => buyer('POST', '/order', order)],
    ['accept: TRACE', 405, () => raw('TRACE /orders HTTP/1.1')],
    ['plugins: no key', 401, () => fetch(`${gateway}/orders`, { method: 'POST', body: '{}' })],
    ['service: malformed', 400, () => buyer('POST', '/orders', '{')],
    ['service: wrong content', 422, () => buyer('POST', '/orders', { ...order, lines: [] })],
    ['service: unknown user', 422, () => buyer('POST', '/orders', { ...order, userId: 123_456_789 })],
  ]
  for (const [name, status, request] of exits) assert.equal((await request()).status, status, name)
  assert.equal((await statuses(urls)).length, before)
})

async function statuses(urls: readonly string[]): Promise<string[]> {
  return (await askEveryShard<{ status: string }>(urls, 'SELECT status FROM orders.orders'))
    .flat()
    .map((row) => row.status)
}

/** A request that fetch refuses to send. */
async function raw(head: string): Promise<{ status: number }> {
  const { connect } = await import('node:net')
  const { hostname, port } = new URL(gateway)
  const socket = connect(Number(port), hostname)
  socket.write(`${head}\r\nHost: ${hostname}\r\nConnection: close\r\n\r\n`)
  let text = ''
  for await (const chunk of socket) text += chunk
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]) }
}
