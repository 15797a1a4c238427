import { endpoints, event } from 'groundswell'
import { z } from 'zod'
import { Sku, SkuList, StockCount } from '../fields.ts'

const at = endpoints('inventory-service')

const StockLevel = z.object({ sku: z.string(), available: z.int() })
export type StockLevel = z.infer<typeof StockLevel>

export const getStock = at.get('/stock', {
  summary: 'What is left of some products; unknown ones are absent',
  query: z.object({ skus: SkuList }),
  replies: { 200: z.object({ levels: z.array(StockLevel) }) },
})

export const setStock = at.put('/stock/:sku', {
  summary: 'Set what is left of a product, for other services',
  params: z.object({ sku: Sku }),
  body: z.object({ available: StockCount }),
  replies: { 200: StockLevel },
  exposed: false,
})

const Reservation = z.object({ orderId: z.string(), userId: z.int() })

export const StockReserved = event('stock.reserved', 1, Reservation, { key: (reservation) => reservation.userId })

export const StockRejected = event(
  'stock.rejected',
  1,
  Reservation.extend({
    reason: z.literal('sold_out'),
    /** The first product of the order that there was not enough of. */
    sku: z.string(),
  }),
  { key: (reservation) => reservation.userId },
)
