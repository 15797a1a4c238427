import { app, bucketOf, handle, problem, reply, service } from 'groundswell'
import { checkOut } from './checkout.ts'
import { createUser, placeOrder, putProduct } from './contract.ts'

/**
 * The shop without events, to compare with: the same gateway, databases and endpoints, everything inside the request.
 */

const users = service('user-service', {
  migrations: new URL('./migrations/people/', import.meta.url),
  routes: [
    handle(createUser, async ({ body: { email, name }, data }) => {
      const [row] = await data.home.query<{ id: number }>("SELECT nextval('people.user_id') AS id")
      const id = Number(row?.id)
      await data
        .forKey(id)
        .query('INSERT INTO people.users (bucket, user_id, email, name) VALUES ($1, $2, $3, $4)', [
          bucketOf(id),
          id,
          email,
          name,
        ])
      return reply(201, { id, email, name })
    }),
  ],
})

const products = service('product-service', {
  placement: 'home',
  migrations: new URL('./migrations/goods/', import.meta.url),
  routes: [
    handle(putProduct, async ({ params: { sku }, body: { name, priceCents, stock }, data }) => {
      await data.home.transaction(async (tx) => {
        await tx.query(PUT_PRODUCT, [sku, name, priceCents])
        await tx.query(PUT_STOCK, [sku, stock])
      })
      return reply(200, { sku, name, priceCents, stock })
    }),
  ],
})

const orders = service('order-service', {
  migrations: new URL('./migrations/orders/', import.meta.url),
  routes: [
    handle(placeOrder, async ({ body, data }) => {
      const outcome = await checkOut(data, body)
      if (outcome.kind === 'unknown') return problem(422, `there is no ${outcome.what}`, { code: 'ORDER_UNKNOWN' })
      const { orderId, status } = outcome
      return reply(201, { orderId, status }, { location: `/orders/${orderId}` })
    }),
  ],
})

const PUT_PRODUCT = `
  INSERT INTO goods.product (sku, name, price_cents) VALUES ($1, $2, $3)
  ON CONFLICT (sku) DO UPDATE SET name = excluded.name, price_cents = excluded.price_cents`
const PUT_STOCK = `
  INSERT INTO goods.stock (sku, available) VALUES ($1, $2)
  ON CONFLICT (sku) DO UPDATE SET available = excluded.available`

export default app('sync-shop', {
  services: [users, products, orders],
  gateway: { consumers: ['storefront', 'operator'] },
})
