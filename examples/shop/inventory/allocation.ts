/**
 * The decision of a sale, without I/O: who gets what, in the order in which they came, all lines of an order or none.
 */

export type Line = { readonly sku: string; readonly quantity: number }

export type Allocation =
  | { readonly orderId: string; readonly state: 'reserved' }
  /** `sku` is the first one that there was not enough of. */
  | { readonly orderId: string; readonly state: 'rejected'; readonly sku: string }

export type Allocations = {
  readonly allocations: readonly Allocation[]
  /** How many of each SKU were given away; SKUs that nobody got are absent. */
  readonly taken: ReadonlyMap<string, number>
}

/** Gives stock to orders. An SKU that `available` lacks is sold out. */
export function allocate(
  available: ReadonlyMap<string, number>,
  orders: readonly { readonly orderId: string; readonly lines: readonly Line[] }[],
): Allocations {
  const left = new Map(available)
  const taken = new Map<string, number>()
  const allocations = orders.map(({ orderId, lines }): Allocation => {
    const wanted = totalsOf(lines)
    const missing = [...wanted].find(([sku, quantity]) => (left.get(sku) ?? 0) < quantity)
    if (missing !== undefined) return { orderId, state: 'rejected', sku: missing[0] }
    for (const [sku, quantity] of wanted) {
      left.set(sku, (left.get(sku) ?? 0) - quantity)
      taken.set(sku, (taken.get(sku) ?? 0) + quantity)
    }
    return { orderId, state: 'reserved' }
  })
  return { allocations, taken }
}

/** Quantity per SKU: an order may name one twice. */
export function totalsOf(lines: readonly Line[]): ReadonlyMap<string, number> {
  const totals = new Map<string, number>()
  for (const { sku, quantity } of lines) totals.set(sku, (totals.get(sku) ?? 0) + quantity)
  return totals
}

/** SKUs in the one order in which every transaction locks them. */
export function skusOf(orders: readonly { readonly lines: readonly Line[] }[]): readonly string[] {
  return [...new Set(orders.flatMap(({ lines }) => lines.map(({ sku }) => sku)))].sort()
}
