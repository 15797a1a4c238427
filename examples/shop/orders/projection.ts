import { bucketOf, type Queryable } from 'groundswell'

/**
 * What the order service keeps of other services' data, so that accepting an order asks nobody: its shard's
 * customers, and the products with their prices on every shard. Both come from events; what an order needs before its
 * event has arrived is asked for and stored the same way.
 */
export type Customer = { readonly userId: number; readonly email: string; readonly name: string }
export type KnownProduct = { readonly sku: string; readonly priceCents: number; readonly version: number }

export async function readCustomers(
  db: Queryable,
  wanted: readonly { readonly userId: number }[],
): Promise<ReadonlyMap<number, Customer>> {
  const ids = [...new Set(wanted.map(({ userId }) => userId))]
  const rows = await db.query<Customer>(READ_CUSTOMERS, [ids.map(bucketOf), ids])
  return new Map(rows.map((row) => [row.userId, row]))
}

export async function readProducts(
  db: Queryable,
  wanted: readonly string[],
): Promise<ReadonlyMap<string, KnownProduct>> {
  const rows = await db.query<KnownProduct>(READ_PRODUCTS, [[...new Set(wanted)]])
  return new Map(rows.map((row) => [row.sku, row]))
}

/** Idempotent: a customer never changes. */
export async function storeCustomers(db: Queryable, customers: readonly Customer[]): Promise<void> {
  await db.query(STORE_CUSTOMERS, [
    customers.map(({ userId }) => bucketOf(userId)),
    customers.map(({ userId }) => userId),
    customers.map(({ email }) => email),
    customers.map(({ name }) => name),
  ])
}

/** Idempotent, and in whatever order: an older version never replaces a newer one. */
export async function storeProducts(db: Queryable, products: readonly KnownProduct[]): Promise<void> {
  const newest = new Map<string, KnownProduct>()
  for (const product of products) {
    if ((newest.get(product.sku)?.version ?? 0) < product.version) newest.set(product.sku, product)
  }
  const rows = [...newest.values()].sort((a, b) => (a.sku < b.sku ? -1 : 1))
  await db.query(STORE_PRODUCTS, [
    rows.map(({ sku }) => sku),
    rows.map(({ priceCents }) => priceCents),
    rows.map(({ version }) => version),
  ])
}

/**
 * LATERAL with OFFSET keeps this an index lookup per customer, whatever the planner believes about the table's size.
 */
const READ_CUSTOMERS = `
  SELECT found.user_id AS "userId", found.email, found.name
  FROM unnest($1::smallint[], $2::bigint[]) AS wanted (bucket, user_id)
  CROSS JOIN LATERAL (
    SELECT user_id, email, name FROM orders.customer AS c
    WHERE c.bucket = wanted.bucket AND c.user_id = wanted.user_id OFFSET 0) AS found`

const READ_PRODUCTS = `
  SELECT sku, price_cents AS "priceCents", version FROM orders.product WHERE sku = ANY ($1::text[])`

const STORE_CUSTOMERS = `
  INSERT INTO orders.customer (bucket, user_id, email, name)
  SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::text[], $4::text[])
  ON CONFLICT (bucket, user_id) DO NOTHING`

const STORE_PRODUCTS = `
  INSERT INTO orders.product (sku, price_cents, version)
  SELECT * FROM unnest($1::text[], $2::bigint[], $3::bigint[])
  ON CONFLICT (sku) DO UPDATE SET price_cents = excluded.price_cents, version = excluded.version
  WHERE product.version < excluded.version`
