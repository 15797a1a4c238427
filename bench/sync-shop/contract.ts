import { endpoints } from 'groundswell'
import { z } from 'zod'

/** The endpoints of the shop that the load uses, with the same bodies: one scenario runs against both. */

const Sku = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)
const Product = z.object({ sku: z.string(), name: z.string(), priceCents: z.int(), stock: z.int() })

export const createUser = endpoints('user-service').post('/users', {
  body: z.object({ email: z.string().trim().toLowerCase().max(254).pipe(z.email()), name: z.string().min(1).max(200) }),
  replies: { 201: z.object({ id: z.int(), email: z.string(), name: z.string() }) },
})

export const putProduct = endpoints('product-service').put('/products/:sku', {
  params: z.object({ sku: Sku }),
  body: z.object({ name: z.string().min(1).max(200), priceCents: z.int().min(0), stock: z.int().min(0) }),
  replies: { 200: Product },
  access: { consumers: ['operator'] },
})

export const NewOrder = z.object({
  userId: z.int().min(1),
  lines: z
    .array(z.object({ sku: Sku, quantity: z.int().min(1).max(1_000) }))
    .min(1)
    .max(50),
  cardToken: z.string().regex(/^tok_[a-z0-9_]{1,60}$/),
})
export type NewOrder = z.infer<typeof NewOrder>

export const placeOrder = endpoints('order-service').post('/orders', {
  body: NewOrder,
  replies: { 201: z.object({ orderId: z.string(), status: z.enum(['shipped', 'rejected']) }) },
  access: 'key',
})
