import {
  type Cluster,
  type Context,
  cache,
  emit,
  handle,
  invalidate,
  newContext,
  problem,
  type Queryable,
  reply,
  type SeedInput,
  service,
} from 'groundswell'
import { decodeCursor, encodeCursor } from '../cursor.ts'
import { firstGoods } from '../first-goods.ts'
import { getStock, setStock } from '../inventory/contract.ts'
import {
  getProduct,
  listProducts,
  lookUpProducts,
  type Product,
  ProductChanged,
  putProduct,
  VersionedProduct,
} from './contract.ts'

const HOUR_MS = 3_600_000

/**
 * What the shop sells. Products live once, on the home shard; other services keep the part they need from the events.
 */
export const catalog = service('product-service', {
  summary: 'What the shop sells',
  placement: 'home',
  migrations: new URL('./migrations/', import.meta.url),
  emits: [ProductChanged],
  seed: addFirstGoods,
  routes: [
    handle(listProducts, async ({ query, data }) => {
      const after = query.cursor === undefined ? '' : decodeCursor(query.cursor)
      if (after === undefined) return problem(400, 'the cursor is not one of ours', { code: 'CURSOR_INVALID' })
      const found = await data.home.query<Product>(LIST, [after, query.limit + 1])
      const products = found.slice(0, query.limit)
      const last = products.at(-1)
      const more = found.length > products.length && last !== undefined
      return reply(200, more ? { products, nextCursor: encodeCursor(last.sku) } : { products })
    }),
    handle(getProduct, async ({ params, caches, services, context }) => {
      const details = caches(productDetails)
      const product = await details.getOrLoad(params.sku, { tags: [tagOf(params.sku)] }, async (reader) => {
        const [found] = await findProducts(reader.home, [params.sku])
        return found ?? null
      })
      if (product === null) return problem(404, `there is no product ${params.sku}`, { code: 'PRODUCT_UNKNOWN' })
      // Never cached: what is left changes with every order.
      const stock = await services(getStock, { query: { skus: params.sku } }, context)
      const { sku, name, priceCents } = product
      return reply(200, { sku, name, priceCents, stock: stock.body.levels[0]?.available ?? 0 })
    }),
    handle(putProduct, async ({ params: { sku }, body: { name, priceCents, stock }, data, services, context }) => {
      // Stock first: an order that comes after this answer must find it.
      await services(setStock, { params: { sku }, body: { available: stock } }, context)
      await saveProduct(data, { sku, name, priceCents }, context)
      return reply(200, { sku, name, priceCents, stock })
    }),
    handle(lookUpProducts, async ({ query, data }) => {
      return reply(200, { products: [...(await findProducts(data.home, query.skus))] })
    }),
  ],
})

/** Products by SKU, and that there is none; each invalidated by whoever changes it. */
const productDetails = cache('product-details', { schema: VersionedProduct.nullable(), ttlMs: HOUR_MS })

function tagOf(sku: string): string {
  return `product:${sku}`
}

async function findProducts(from: Queryable, skus: readonly string[]): Promise<readonly VersionedProduct[]> {
  return from.query<VersionedProduct>(FIND, [skus])
}

async function saveProduct(data: Cluster, product: Product, context: Context): Promise<void> {
  await data.home.transaction(async (tx) => {
    const { sku, name, priceCents } = product
    const [saved] = await tx.query<{ version: number }>(SAVE, [sku, name, priceCents])
    emit(tx, ProductChanged, { ...product, version: saved?.version ?? 1 }, context)
    invalidate(tx, [tagOf(sku)], context)
  })
}

/** Adds what is missing, and nothing that an operator has changed since. */
async function addFirstGoods({ data }: SeedInput): Promise<void> {
  const known = new Set(
    (
      await findProducts(
        data.home,
        firstGoods.map(({ sku }) => sku),
      )
    ).map(({ sku }) => sku),
  )
  for (const { sku, name, priceCents } of firstGoods) {
    if (!known.has(sku)) await saveProduct(data, { sku, name, priceCents }, newContext())
  }
}

const LIST = `
  SELECT sku, name, price_cents AS "priceCents" FROM catalog.product WHERE sku > $1 ORDER BY sku LIMIT $2`

const FIND = `
  SELECT sku, name, price_cents AS "priceCents", version FROM catalog.product WHERE sku = ANY ($1::text[])`

const SAVE = `
  INSERT INTO catalog.product (sku, name, price_cents, version) VALUES ($1, $2, $3, 1)
  ON CONFLICT (sku) DO UPDATE
  SET name = excluded.name, price_cents = excluded.price_cents, version = product.version + 1
  RETURNING version`
