/**
 * What the shop sells on its first day. Two services seed their part of it: the catalog names and prices, the inventory
 * stock.
 */
export const firstGoods: readonly { sku: string; name: string; priceCents: number; stock: number }[] = [
  { sku: 'surfboard-62', name: 'Surfboard 6′2″, epoxy', priceCents: 54_900, stock: 500 },
  { sku: 'longboard-92', name: 'Longboard 9′2″, classic', priceCents: 79_900, stock: 200 },
  { sku: 'wetsuit-4-3', name: 'Wetsuit 4/3 mm, hooded', priceCents: 24_900, stock: 2_000 },
  { sku: 'wetsuit-3-2', name: 'Wetsuit 3/2 mm, spring', priceCents: 18_900, stock: 2_000 },
  { sku: 'boots-5mm', name: 'Reef boots 5 mm', priceCents: 5_900, stock: 5_000 },
  { sku: 'leash-7', name: 'Leash 7′, regular', priceCents: 2_900, stock: 50_000 },
  { sku: 'wax-cold', name: 'Wax for cold water', priceCents: 350, stock: 1_000_000 },
  { sku: 'wax-warm', name: 'Wax for warm water', priceCents: 350, stock: 1_000_000 },
  { sku: 'fins-tri', name: 'Fins, set of three', priceCents: 6_900, stock: 10_000 },
  { sku: 'poncho', name: 'Changing poncho, one size', priceCents: 4_900, stock: 20_000 },
  { sku: 'dry-bag-30', name: 'Dry bag 30 l', priceCents: 3_900, stock: 20_000 },
  { sku: 'tide-watch', name: 'Tide watch, limited edition', priceCents: 19_900, stock: 100 },
]

/** Who may order on the first day. */
export const firstUsers: readonly { email: string; name: string }[] = [
  { email: 'ada@example.com', name: 'Ada' },
  { email: 'grace@example.com', name: 'Grace' },
  { email: 'edsger@example.com', name: 'Edsger' },
]
