import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import orders from '../examples/shop/load/orders.ts'
import { OrderPlaced } from '../examples/shop/orders/contract.ts'
import { type OpenCluster, openCluster, startEmbeddedPostgres } from '../src/data/index.ts'
import { type BrokerUse, follow, onBatch, openBroker, startEvents } from '../src/events/index.ts'
import {
  kafkaMissing,
  rabbitMqMissing,
  runScenario,
  startKafkaServer,
  startRabbitMqServer,
  until,
} from '../src/testing/index.ts'
import {
  askEveryShard,
  clientOf,
  databaseUrlsOf,
  run,
  type ShopProcess,
  startShop,
  temporaryDataDir,
} from './shop-process.ts'

/**
 * What carries or keeps events is killed under orders that keep coming. In the suite in small; `OUTAGE_SECONDS=60
 * OUTAGE_RATE=500 npx node --test test/outage.test.ts` is the full size.
 */
const OUTAGE_MS = Number(process.env.OUTAGE_SECONDS ?? 3) * 1_000
const RATE = Number(process.env.OUTAGE_RATE ?? 60)
/** Orders before the outage and after the end of it. */
const USUAL_MS = Math.max(3_000, OUTAGE_MS / 6)
const DRAIN_MS_MAX = 120_000 + 5 * OUTAGE_MS
/** A machine that hardly bears the rate answers late. */
const ANSWER_MS_MAX = 30_000
const PARTITIONS = 4
/** What a process may grow by meanwhile: far less than the orders of a long outage would take if it kept them. */
const GROWTH_BYTES_MAX = 400 * 1_048_576

type Outage = { begin(): Promise<unknown>; end(): Promise<unknown> }

/** What somebody saw who sent orders the whole time, and looked at the shop once a second. */
type Course = {
  readonly accepted: readonly string[]
  readonly refusals: ReadonlyMap<string, number>
  readonly rssBytes: { readonly before: number; readonly most: number }
  readonly backAtMs: number
}

async function sendThrough(shop: ShopProcess, outage: Outage, whileDown: () => Promise<void>): Promise<Course> {
  const accepted: string[] = []
  const refusals = new Map<string, number>()
  const sizes: number[] = []
  let before = 0
  let backAtMs = 0
  let change: Promise<unknown> | undefined
  let lookedAt: Promise<void> | undefined
  let ended: Promise<unknown> | undefined
  const { report } = await runScenario(
    {
      ...orders,
      verify(_, { status, body }) {
        const { orderId, code } = JSON.parse(body) as { orderId?: string; code?: string }
        if (status === 202 && orderId !== undefined) accepted.push(orderId)
        else refusals.set(`${status} ${code}`, (refusals.get(`${status} ${code}`) ?? 0) + 1)
        return undefined
      },
    },
    {
      url: shop.gateway,
      adminUrl: shop.admin,
      shape: { rate: RATE, durationMs: 2 * USUAL_MS + OUTAGE_MS, arrivals: 'fixed' },
      timeoutMs: ANSWER_MS_MAX,
      log: () => {},
      onProgress({ elapsedMs }) {
        void rssOf(shop).then((bytes) => sizes.push(bytes))
        if (elapsedMs >= USUAL_MS && change === undefined) {
          before = Math.max(...sizes)
          change = outage.begin()
          lookedAt = change.then(whileDown)
        }
        if (elapsedMs >= USUAL_MS + OUTAGE_MS && ended === undefined) {
          ended = Promise.resolve(lookedAt).then(() => outage.end())
          void ended.then(() => (backAtMs = performance.now()))
        }
      },
    },
  )
  await (ended ?? assert.fail('the load ended before the outage did'))
  assert.deepEqual(report.failures, {}, 'every order that was sent is answered')
  return { accepted, refusals, rssBytes: { before, most: Math.max(...sizes) }, backAtMs }
}

async function rssOf({ child }: ShopProcess): Promise<number> {
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1_024
}

const NOTE = `
  INSERT INTO audit.seen (user_id, order_id)
  SELECT user_id, order_id FROM unnest($1::bigint[], $2::uuid[]) WITH ORDINALITY AS o(user_id, order_id, n) ORDER BY n`

/** A group of its own that notes the orders of each customer as they come to it. */
async function startAudit(urls: readonly string[], broker: BrokerUse | undefined) {
  const cluster = await openCluster({ urls })
  await cluster.loadDirectory()
  for (const shard of cluster.shards) {
    await shard.query('CREATE SCHEMA audit')
    await shard.query('CREATE TABLE audit.seen (seq bigserial, user_id bigint, order_id uuid)')
  }
  const note = onBatch<OrderPlaced>(OrderPlaced, async (deliveries, { tx }) => {
    const placed = deliveries.map((delivery) => delivery.event.payload)
    await tx.query(NOTE, [placed.map(({ userId }) => userId), placed.map(({ orderId }) => orderId)])
  })
  const groups = [{ name: 'audit', consumers: [note] }]
  const events = await startEvents({ cluster, groups, broker, owner: 'audit', sequence: false })
  const stop = async () => {
    await events.stop({ deadlineAtMs: Date.now() + 10_000 })
    await broker?.engine.close()
    await cluster.close({ deadlineAtMs: Date.now() + 10_000 })
  }
  let stopping: Promise<void> | undefined
  return { cluster, stop: () => (stopping ??= stop()) }
}

/** The orders of each customer in the order of the log. */
async function logged(cluster: OpenCluster, count: number): Promise<Map<number, string[]>> {
  const byUser = new Map<number, string[]>()
  const end = new AbortController()
  let left = count
  for await (const { payload } of follow(cluster, { topic: OrderPlaced.name, group: 'nobody', signal: end.signal })) {
    const { userId, orderId } = payload as OrderPlaced
    byUser.set(userId, [...(byUser.get(userId) ?? []), orderId])
    if (--left === 0) end.abort()
  }
  return byUser
}

async function noted(urls: readonly string[]): Promise<Map<number, string[]>> {
  const rows = await askEveryShard<{ user: string; order: string }>(
    urls,
    'SELECT user_id AS user, order_id AS order FROM audit.seen ORDER BY seq',
  )
  const byUser = Map.groupBy(rows.flat(), ({ user }) => Number(user))
  return new Map([...byUser].map(([user, seen]) => [user, seen.map(({ order }) => order)]))
}

/** Waits for the end of every order, asserts that none is lost, twice or out of order, and tells the figures. */
async function assertNothingLost(t: TestContext, course: Course, { urls, cluster }: Audited): Promise<void> {
  const orderRows = async () => {
    const rows = await askEveryShard<{ id: string; status: string }>(
      urls,
      'SELECT order_id AS id, status FROM orders.orders',
    )
    return rows.flat()
  }
  const isOver = async () => (await orderRows()).every(({ status }) => status === 'shipped')
  await until(isOver, { timeoutMs: DRAIN_MS_MAX, what: 'every order is shipped' })
  const rows = await orderRows()
  const ids = new Set(rows.map(({ id }) => id))
  const seen = async () => [...(await noted(urls)).values()].flat().length
  await until(async () => (await seen()) >= ids.size, { timeoutMs: DRAIN_MS_MAX, what: 'every order is noted' })
  const drainedMs = Math.round(performance.now() - course.backAtMs)
  const { before, most } = course.rssBytes
  const mebibytes = (bytes: number) => `${Math.round(bytes / 1_048_576)} MiB`
  const refused = [...course.refusals].map(([reason, count]) => `${count} × ${reason}`).join(', ') || 'none'
  const lost = course.accepted.filter((id) => !ids.has(id))
  t.diagnostic(
    `${course.accepted.length} accepted, refused: ${refused}; ${lost.length} lost, ${ids.size} in the database`,
  )
  t.diagnostic(`drained ${drainedMs} ms after the end; memory ${mebibytes(before)} before, ${mebibytes(most)} at most`)

  assert.deepEqual(lost, [])
  const shipments = await askEveryShard(urls, 'SELECT FROM shipping.shipment')
  assert.equal(shipments.flat().length, rows.length, 'each was shipped once')
  assert.deepEqual(sorted(await noted(urls)), sorted(await logged(cluster, ids.size)), 'each customer’s in their order')
  assert.ok(most - before < GROWTH_BYTES_MAX, `memory grew from ${mebibytes(before)} to ${mebibytes(most)}`)
}

type Audited = { readonly urls: readonly string[]; readonly cluster: OpenCluster }

function sorted(byUser: ReadonlyMap<number, readonly string[]>): readonly (readonly [number, readonly string[]])[] {
  return [...byUser].sort(([left], [right]) => left - right)
}

const BROKERS = [
  { name: 'Kafka', skip: await kafkaMissing(), start: startKafkaServer },
  { name: 'RabbitMQ', skip: rabbitMqMissing(), start: startRabbitMqServer },
]

async function killBrokerUnderOrders(t: TestContext, start: (typeof BROKERS)[number]['start']): Promise<void> {
  await using last = new AsyncDisposableStack()
  const dataDir = await temporaryDataDir()
  last.defer(() => dataDir.remove())
  const server = await start()
  last.defer(() => server.stop())
  const shop = await startShop(dataDir.path, { env: { EVENTS_URL: server.url, EVENTS_PARTITIONS: `${PARTITIONS}` } })
  last.defer(() => shop.signal('SIGKILL', 'group'))
  const urls = await databaseUrlsOf(dataDir.path)
  const engine = await openBroker({ url: server.url, clientId: 'audit' })
  const topics = [{ name: OrderPlaced.name, partitions: PARTITIONS, retentionMs: 3_600_000 }]
  const audit = await startAudit(urls, {
    engine,
    declaration: { topics, groups: [{ name: 'audit', topics: [OrderPlaced.name] }] },
  })
  last.defer(() => audit.stop())
  const outage = { begin: () => server.kill(), end: () => server.restart() }
  const course = await sendThrough(shop, outage, async () => undefined)
  assert.deepEqual([...course.refusals], [], 'every order is accepted')
  await assertNothingLost(t, course, { urls, cluster: audit.cluster })
  await assertLagShown({ DATA_DIR: dataDir.path, EVENTS_URL: server.url, EVENTS_PARTITIONS: `${PARTITIONS}` })
  await audit.stop()
  shop.signal('SIGTERM')
  assert.equal(await shop.exited, 0, shop.output())
}

/** The command tells what forwarders have still to do, and, as the broker has it, each group for each partition. */
async function assertLagShown(env: Readonly<Record<string, string>>): Promise<void> {
  const shown = await run(['events', 'lag', '--json'], env)
  assert.equal(shown.code, 0, shown.stderr)
  const { groups, partitions } = JSON.parse(shown.stdout) as { groups: { group: string }[]; partitions: Partition[] }
  assert.ok(groups.every(({ group }) => group === '~broker'))
  const payments = partitions.filter((one) => one.group === 'payment-service' && one.topic === OrderPlaced.name)
  assert.deepEqual(
    payments.map(({ partition, messages }) => [partition, messages]),
    Array.from({ length: PARTITIONS }, (_, partition) => [partition, 0]),
  )
}

type Partition = {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly messages: number
}

for (const { name, skip, start } of BROKERS) {
  test(
    `C3 12: ${name} is killed under orders: all are accepted, and end once and in order when it is back`,
    { skip },
    (t) => killBrokerUnderOrders(t, start),
  )
}

test('C3 12: PostgreSQL is killed under orders: they are refused with Retry-After, and none that was accepted is lost', async (t) => {
  await using last = new AsyncDisposableStack()
  const dataDir = await temporaryDataDir()
  last.defer(() => dataDir.remove())
  const site = { dataDir: join(dataDir.path, 'postgres'), shards: 2 }
  let server = await startEmbeddedPostgres(site)
  last.defer(() => server.stop({ deadlineAtMs: Date.now() + 10_000 }))
  const { urls, port } = server
  const shop = await startShop(dataDir.path, { env: { DATABASE_URLS: urls.join(',') } })
  last.defer(() => shop.signal('SIGKILL', 'group'))
  const audit = await startAudit(urls, undefined)
  last.defer(() => audit.stop())
  const buyer = await clientOf(shop)
  const outage = {
    async begin() {
      // An immediate shutdown: as a crash, what was not committed is gone, and the next start recovers.
      process.kill(server.pid, 'SIGQUIT')
      await server.exited
      await server.stop({ deadlineAtMs: Date.now() + 10_000 })
    },
    async end() {
      server = await startEmbeddedPostgres({ ...site, port })
    },
  }
  const course = await sendThrough(shop, outage, async () => {
    const order = { userId: 1, lines: [{ sku: 'load-board-1', quantity: 1 }], cardToken: 'tok_visa' }
    const { status, headers } = await buyer('POST', '/orders', order)
    assert.equal(status, 503)
    assert.ok(Number(headers.get('retry-after')) > 0, 'Retry-After says when to come again')
  })
  for (const [reason] of course.refusals) {
    // One whose COMMIT was under way when the server died is not refused: it may exist, and its client is told so.
    assert.match(reason, /^503 |^500 DATA_COMMIT_UNKNOWN$/)
  }
  assert.ok(course.refusals.size > 0)
  await assertNothingLost(t, course, { urls, cluster: audit.cluster })
  await audit.stop()
  shop.signal('SIGTERM')
  assert.equal(await shop.exited, 0, shop.output())
})
