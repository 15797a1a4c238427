import { type Cluster, type ConsumerContext, type Delivery, emit, handle, onBatch, reply, service } from 'groundswell'
import { firstGoods } from '../first-goods.ts'
import { OrderPlaced, OrderRejected } from '../orders/contract.ts'
import { getStock, type StockLevel, StockRejected, StockReserved, setStock } from './contract.ts'
import { release, reserve } from './reservation.ts'

/**
 * Stock lives once, on the home shard: one product's buyers are spread over all shards, and it must never be
 * oversold.
 */
export const inventory = service('inventory-service', {
  summary: 'What is in stock, and for whom',
  placement: 'home',
  migrations: new URL('./migrations/', import.meta.url),
  emits: [StockReserved, StockRejected],
  seed: ({ data }) => stockFirstGoods(data),
  routes: [
    handle(getStock, async ({ query, data }) => {
      const levels = await data.home.query<StockLevel>(READ_STOCK, [query.skus])
      return reply(200, { levels: [...levels] })
    }),
    handle(setStock, async ({ params, body, data }) => {
      await data.home.query(SET_STOCK, [params.sku, body.available])
      return reply(200, { sku: params.sku, available: body.available })
    }),
  ],
  consumers: [
    onBatch(OrderPlaced, reserveStock, { target: 'home' }),
    onBatch(
      OrderRejected,
      async (deliveries, { tx }) =>
        release(
          tx,
          deliveries.map(({ event }) => event.payload),
        ),
      {
        target: 'home',
      },
    ),
  ],
})

async function reserveStock(deliveries: readonly Delivery<OrderPlaced>[], { tx }: ConsumerContext): Promise<void> {
  const events = new Map(deliveries.map(({ event }) => [event.payload.orderId, event]))
  for (const allocation of await reserve(
    tx,
    deliveries.map(({ event }) => event.payload),
  )) {
    const event = events.get(allocation.orderId)
    if (event === undefined) continue
    const { orderId, userId } = event.payload
    if (allocation.state === 'reserved') emit(tx, StockReserved, { orderId, userId }, event)
    else emit(tx, StockRejected, { orderId, userId, reason: 'sold_out' as const, sku: allocation.sku }, event)
  }
}

async function stockFirstGoods(data: Cluster): Promise<void> {
  await data.home.query(STOCK_FIRST_GOODS, [firstGoods.map(({ sku }) => sku), firstGoods.map(({ stock }) => stock)])
}

const READ_STOCK = `SELECT sku, available FROM inventory.stock WHERE sku = ANY ($1::text[]) ORDER BY sku`

const SET_STOCK = `
  INSERT INTO inventory.stock (sku, available) VALUES ($1, $2)
  ON CONFLICT (sku) DO UPDATE SET available = excluded.available`

const STOCK_FIRST_GOODS = `
  INSERT INTO inventory.stock (sku, available) SELECT * FROM unnest($1::text[], $2::bigint[])
  ON CONFLICT (sku) DO NOTHING`
