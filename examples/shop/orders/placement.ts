import { type BatchWrite, bucketOf, claimIdempotencyKeys, emit, type Transaction } from 'groundswell'
import { type Accepted, type NewOrder, OrderPlaced, type PricedLine } from './contract.ts'
import { type Customer, type KnownProduct, readCustomers, readProducts } from './projection.ts'

/** Placing orders: all requests that wait on a shard go into one transaction, with one statement per table. */
export type Placement = NewOrder & {
  readonly orderId: string
  /** From the request's Idempotency-Key, if it had one. */
  readonly key: { readonly value: string; readonly fingerprint: string } | undefined
  readonly placedAtMs: number
  readonly traceparent: string
}

export type PlacementOutcome =
  | { readonly kind: 'accepted'; readonly response: Accepted }
  /** The key came with another order before. */
  | { readonly kind: 'key-reused' }
  /** The shard knows too little to accept: no such customer, or no such products, as far as it has heard. */
  | { readonly kind: 'unknown'; readonly customer: boolean; readonly skus: readonly string[] }

export const placeOrders: BatchWrite<Placement, PlacementOutcome> = {
  name: 'orders.place',
  run: async (tx, placements) => {
    const [customers, products] = await Promise.all([
      readCustomers(tx, placements),
      readProducts(
        tx,
        placements.flatMap(({ lines }) => lines.map(({ sku }) => sku)),
      ),
    ])
    const judged = placements.map((placement) => judge(placement, customers, products))
    const outcomes = await claimKeys(tx, judged)
    const accepted = judged.filter((one, index) => 'order' in one && isFirst(one, outcomes[index])) as Priced[]
    insertOrders(tx, accepted)
    for (const { order, placement } of accepted) emit(tx, OrderPlaced, order, placement)
    return outcomes
  },
}

/** An order that can be accepted: with the customer and the prices as they are now. */
type Priced = { readonly placement: Placement; readonly order: OrderPlaced }
type Judged = Priced | { readonly placement: Placement; readonly unknown: PlacementOutcome }

function judge(
  placement: Placement,
  customers: ReadonlyMap<number, Customer>,
  products: ReadonlyMap<string, KnownProduct>,
): Judged {
  const customer = customers.get(placement.userId)
  const skus = placement.lines.map(({ sku }) => sku).filter((sku) => !products.has(sku))
  if (customer === undefined || skus.length > 0) {
    return { placement, unknown: { kind: 'unknown', customer: customer === undefined, skus: [...new Set(skus)] } }
  }
  const { orderId, userId, cardToken, placedAtMs } = placement
  const lines = placement.lines.map(({ sku, quantity }): PricedLine => {
    return { sku, quantity, priceCents: products.get(sku)?.priceCents ?? 0 }
  })
  const totalCents = lines.reduce((sum, { quantity, priceCents }) => sum + quantity * priceCents, 0)
  const { email, name } = customer
  return { placement, order: { orderId, userId, email, name, lines, totalCents, cardToken, placedAtMs } }
}

/**
 * One outcome each, in order. Claims keys only for orders that will be written, so a refusal can be corrected and
 * repeated.
 */
async function claimKeys(tx: Transaction, judged: readonly Judged[]): Promise<PlacementOutcome[]> {
  const keyed = judged.filter((one) => 'order' in one && one.placement.key !== undefined) as Priced[]
  const claims = keyed.map(({ placement: { userId, orderId, key } }) => ({
    bucket: bucketOf(userId),
    scope: `orders:${userId}`,
    key: key?.value ?? '',
    fingerprint: key?.fingerprint ?? '',
    response: acceptedAs(orderId),
  }))
  const answers = await claimIdempotencyKeys(tx, claims)
  const byOrder = new Map(keyed.map(({ order }, index) => [order.orderId, answers[index]]))
  return judged.map((one) => {
    if ('unknown' in one) return one.unknown
    const answer = byOrder.get(one.order.orderId)
    if (answer?.outcome === 'mismatch') return { kind: 'key-reused' }
    if (answer?.outcome === 'replay') return { kind: 'accepted', response: answer.response as Accepted }
    return { kind: 'accepted', response: acceptedAs(one.order.orderId) }
  })
}

function isFirst(one: Priced, outcome: PlacementOutcome | undefined): boolean {
  return outcome?.kind === 'accepted' && outcome.response.orderId === one.order.orderId
}

function acceptedAs(orderId: string): Accepted {
  return { orderId, status: 'placed' }
}

/** Not awaited: it travels with the events and the COMMIT. */
function insertOrders(tx: Transaction, priced: readonly Priced[]): void {
  if (priced.length === 0) return
  const orders = priced.map(({ order }) => order)
  void tx.query(INSERT, [
    orders.map(({ userId }) => bucketOf(userId)),
    orders.map(({ orderId }) => orderId),
    orders.map(({ userId }) => userId),
    orders.map(({ lines }) => JSON.stringify(lines)),
    orders.map(({ totalCents }) => totalCents),
    orders.map(({ placedAtMs }) => placedAtMs),
  ])
}

const INSERT = `
  INSERT INTO orders.orders (bucket, order_id, user_id, lines, total_cents, placed_at_ms)
  SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[])`
