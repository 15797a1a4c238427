import { scenario } from 'groundswell/testing'
import { keyOf, putProduct, signUp, wholeNumber } from './storefront.ts'

type State = { readonly headers: Readonly<Record<string, string>>; readonly bodies: readonly string[] }

/**
 * Customers who order one piece of something that is in stock. Settings: `users` (200) who order in turn, `skus` (10)
 * that they order in turn, `sku` (load-board) that the names of products begin with, `stock` (100,000,000) of each.
 */
export default scenario<State>({
  name: 'orders',
  summary: 'Orders of one piece, by 200 customers, of 10 products with plenty in stock',
  async prepare(setup) {
    const { settings, log } = setup
    const [storefrontKey, operatorKey] = await Promise.all([keyOf('storefront', setup), keyOf('operator', setup)])
    const skuCount = wholeNumber(settings, 'skus', 10)
    const skus = Array.from({ length: skuCount }, (_, index) => `${settings.sku ?? 'load-board'}-${index + 1}`)
    const stock = wholeNumber(settings, 'stock', 100_000_000)
    for (const sku of skus) await putProduct({ sku, stock, operatorKey }, setup)
    const users = await signUp(wholeNumber(settings, 'users', 200), setup)
    log(`prepared ${users.length} customers and ${skus.length} products`)
    const bodies = Array.from({ length: users.length * skus.length }, (_, n) => {
      const [userId, sku] = [users[n % users.length], skus[(n + Math.floor(n / users.length)) % skus.length]]
      return JSON.stringify({ userId, lines: [{ sku, quantity: 1 }], cardToken: 'tok_visa' })
    })
    return { headers: { apikey: storefrontKey, 'Content-Type': 'application/json' }, bodies }
  },
  request({ headers, bodies }, n) {
    return { method: 'POST', path: '/orders', headers, body: bodies[n % bodies.length] }
  },
  verify(_, { status, body }) {
    if (status !== 202) return `status ${status}`
    return /^\{"orderId":"[0-9a-f-]{36}","status":"placed"\}$/.test(body) ? undefined : 'an answer without an order id'
  },
})
