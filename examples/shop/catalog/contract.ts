import { endpoints, event } from 'groundswell'
import { z } from 'zod'
import { line, PriceCents, Sku, SkuList, StockCount } from '../fields.ts'

const at = endpoints('product-service')

const Product = z.object({ sku: z.string(), name: z.string(), priceCents: z.int() })
const ProductInStock = Product.extend({ stock: z.int() })
/** `version` grows with each change of the product: what is older never replaces what is newer. */
export const VersionedProduct = Product.extend({ version: z.int() })
export type Product = z.infer<typeof Product>
export type VersionedProduct = z.infer<typeof VersionedProduct>

export const listProducts = at.get('/products', {
  summary: 'All products, by SKU',
  query: z.object({
    cursor: z.string().max(200).optional(),
    limit: z.coerce.number().int().min(1).max(100).default(50),
  }),
  replies: { 200: z.object({ products: z.array(Product), nextCursor: z.string().optional() }) },
})

export const getProduct = at.get('/products/:sku', {
  summary: 'One product and its stock',
  params: z.object({ sku: Sku }),
  replies: { 200: ProductInStock },
})

export const putProduct = at.put('/products/:sku', {
  summary: 'Add or change a product',
  params: z.object({ sku: Sku }),
  body: z.object({ name: line(200), priceCents: PriceCents, stock: StockCount }),
  replies: { 200: ProductInStock },
  access: { consumers: ['operator'] },
})

export const lookUpProducts = at.get('/product-versions', {
  summary: 'Products as their latest event says, for other services; unknown ones are absent',
  query: z.object({ skus: SkuList }),
  replies: { 200: z.object({ products: z.array(VersionedProduct) }) },
  exposed: false,
})

export const ProductChanged = event('product.changed', 1, VersionedProduct, { key: (product) => product.sku })
