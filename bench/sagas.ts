import { Command, Option } from 'commander'
import { z } from 'zod'
import { StockRejected, StockReserved } from '../examples/shop/inventory/contract.ts'
import { OrderConfirmed, OrderRejected } from '../examples/shop/orders/contract.ts'
import { applyFacts, type Fact } from '../examples/shop/orders/facts.ts'
import { PaymentAuthorized, PaymentDeclined } from '../examples/shop/payments/contract.ts'
import { ShipmentDispatched } from '../examples/shop/shipping/contract.ts'
import { type EventEnvelope, newId } from '../src/core/index.ts'
import { bucketOf, type Cluster, type Shard, systemMigrations, type Transaction } from '../src/data/index.ts'
import { beginSaga, eventsMigrations, message, saga } from '../src/events/index.ts'
import { startTestCluster } from '../src/testing/index.ts'
import { inTurns, positive, runBench, type Started } from './command/command.ts'
import { machineOf } from './command/machine.ts'
import { spreadOf } from './command/spread.ts'

/**
 * What would the shop's orders cost as a saga? The life of a batch of orders, from the insert over payment and stock to
 * the shipment, four transactions one after the other: once by the shop's own SQL, once as a saga in a table of the
 * same columns but the journal. The arms take turns; time and the CPU of this process are per order.
 */
export function run(args: readonly string[]): Promise<number> {
  return runBench<Options>({ command: commandLine(), run: compare }, args)
}

type Options = { readonly orders: number; readonly rounds: number }

async function compare({ orders, rounds }: Options, started: Started): Promise<number> {
  const folder = new URL('../examples/shop/orders/migrations/', import.meta.url)
  const own = { owner: 'order-service', folder, placement: 'sharded' } as const
  const migrations = [systemMigrations, eventsMigrations, own]
  const { cluster } = await started.add(startTestCluster({ shards: 1, migrations }))
  for (const statement of TABLE) await cluster.home.query(statement)
  const lives = { sql: new Life(cluster, SQL), saga: new Life(cluster, SAGA) }
  await inTurns([lives.sql, lives.saga], rounds, (life, round) => life.live(orders, round >= WARM_ROUNDS))
  const ratio = (of: 'timesUs' | 'cpusUs') =>
    spreadOf(lives.saga[of].map((value, round) => value / (lives.sql[of][round] ?? Number.NaN)))
  const result = { sql: lives.sql.result(), saga: lives.saga.result(), time: ratio('timesUs'), cpu: ratio('cpusUs') }
  console.log(JSON.stringify({ machine: machineOf(), orders, rounds, ...result }, null, 2))
  return 0
}

function commandLine(): Command {
  return new Command('bench sagas')
    .description('Time and CPU of an order as a saga, and by the SQL of the shop; in one run.')
    .addOption(new Option('--orders <number>', 'orders of a batch').default(500).argParser(positive))
    .addOption(new Option('--rounds <number>', 'batches of each').default(40).argParser(positive))
    .addHelpText('after', '\nExample:\n  $ npm run bench -- sagas --rounds 46')
}

const WARM_ROUNDS = 6
const USERS = 5_000

const Placed = z.object({
  orderId: z.string(),
  userId: z.int(),
  email: z.string(),
  name: z.string(),
  lines: z.array(z.object({ sku: z.string(), quantity: z.int(), priceCents: z.int() })),
  totalCents: z.int(),
})
type Placed = z.infer<typeof Placed>
type Reported = { readonly event: EventEnvelope<{ orderId: string; userId: number }>; readonly result: undefined }

/** One way to write an order's life. */
type Arm = {
  place(tx: Transaction, orders: readonly Placed[]): void
  note(tx: Transaction, reports: readonly Reported[], cluster: Cluster): Promise<void>
}

const order = saga('order', {
  data: Placed,
  id: (about: { readonly orderId: string }) => about.orderId,
  key: (about: { readonly userId: number }) => about.userId,
  keptIn: { table: 'orders.as_saga', id: 'order_id' },
  actions: {
    payment: { done: PaymentAuthorized, failed: PaymentDeclined, undo: 'announced' },
    stock: { done: StockReserved, failed: StockRejected, undo: 'announced' },
    shipment: {
      after: ['payment', 'stock'],
      request: ({ orderId, userId, name }) => message(OrderConfirmed, { orderId, userId, name }),
      done: ShipmentDispatched,
    },
  },
  failed: (placed, { action }) =>
    message(OrderRejected, { ...placed, reason: action === 'stock' ? 'sold_out' : 'payment_declined' }),
})

const REPORTS = [
  { type: PaymentAuthorized, word: { payment: 'authorized' } },
  { type: StockReserved, word: { stock: 'reserved' } },
  { type: ShipmentDispatched, word: { shipped: true } },
] as const
const WORDS = new Map<string, (typeof REPORTS)[number]['word']>(REPORTS.map(({ type, word }) => [type.name, word]))

const SQL: Arm = {
  place(tx, orders) {
    void tx.query(INSERT, [
      ...columnsOf(orders),
      orders.map(({ lines }) => JSON.stringify(lines)),
      orders.map(({ totalCents }) => totalCents),
    ])
  },
  note(tx, reports) {
    const facts = reports.map(({ event }) => {
      const { orderId, userId } = event.payload
      const { occurredAtMs: atMs, traceparent } = event
      return { orderId, userId, atMs, traceparent, ...WORDS.get(event.type) } as Fact
    })
    return applyFacts(tx, facts)
  },
}

const SAGA: Arm = {
  place(tx, orders) {
    for (const placed of orders) beginSaga(tx, order, placed, { traceparent: '' })
    void tx.query(INSERT_SAGA, [...columnsOf(orders), orders.map((placed) => JSON.stringify(placed))])
  },
  async note(tx, reports, cluster) {
    const [consumer] = order.consumers
    await consumer?.apply(reports as never, { tx, cluster } as never)
  },
}

class Life {
  readonly timesUs: number[] = []
  readonly cpusUs: number[] = []
  private readonly cluster: Cluster
  private readonly arm: Arm

  constructor(cluster: Cluster, arm: Arm) {
    this.cluster = cluster
    this.arm = arm
  }

  async live(count: number, isCounted: boolean): Promise<void> {
    const shard: Shard = this.cluster.home
    const orders = Array.from({ length: count }, (_, n) => orderOf(1 + ((n * 7_919) % USERS)))
    const reports = REPORTS.map(({ type }) => orders.map((placed) => reportOf(type.name, placed)))
    const [startedAtMs, cpuBefore] = [performance.now(), process.cpuUsage()]
    await shard.transaction(async (tx) => this.arm.place(tx, orders))
    for (const batch of reports) await shard.transaction((tx) => this.arm.note(tx, batch, this.cluster))
    const cpu = process.cpuUsage(cpuBefore)
    if (!isCounted) return
    this.timesUs.push(((performance.now() - startedAtMs) * 1_000) / count)
    this.cpusUs.push((cpu.user + cpu.system) / count)
  }

  result() {
    return { timeUs: spreadOf(this.timesUs), processCpuUs: spreadOf(this.cpusUs) }
  }
}

function orderOf(userId: number): Placed {
  const lines = [{ sku: 'poncho', quantity: 1, priceCents: 1_999 }]
  const customer = { userId, email: `customer-${userId}@example.com`, name: 'Ada Lovelace' }
  return { orderId: newId(bucketOf(userId)), ...customer, lines, totalCents: 1_999 }
}

function reportOf(type: string, { orderId, userId }: Placed): Reported {
  const place = { bucket: bucketOf(userId), key: String(userId) }
  const event = { id: newId(), type, version: 1, ...place, payload: { orderId, userId }, traceparent: '' }
  return { event: { ...event, occurredAtMs: 1_764_000_000_000 }, result: undefined }
}

function columnsOf(orders: readonly Placed[]) {
  return [
    orders.map(({ userId }) => bucketOf(userId)),
    orders.map(({ orderId }) => orderId),
    orders.map(({ userId }) => userId),
  ]
}

const TABLE = [
  `CREATE TABLE orders.as_saga (
    bucket smallint NOT NULL, order_id uuid NOT NULL, user_id bigint NOT NULL, placed_at_ms bigint NOT NULL,
    data text NOT NULL, journal text NOT NULL DEFAULT '',
    PRIMARY KEY (order_id, bucket), CHECK (bucket = mod(user_id, 5040))
  ) WITH (fillfactor = 50)`,
  'CREATE INDEX as_saga_of_user ON orders.as_saga (bucket, user_id, order_id)',
  `SELECT groundswell.guard_table('orders.as_saga')`,
  `INSERT INTO orders.customer (bucket, user_id, email, name)
   SELECT mod(n, 5040), n, 'customer-' || n || '@example.com', 'Ada Lovelace' FROM generate_series(1, ${USERS}) AS n`,
]

const INSERT = `
  INSERT INTO orders.orders (bucket, order_id, user_id, lines, total_cents, placed_at_ms)
  SELECT *, 0 FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[])`

const INSERT_SAGA = `
  INSERT INTO orders.as_saga (bucket, order_id, user_id, data, placed_at_ms)
  SELECT *, 0 FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::text[])`
