import { newId } from 'groundswell'
import { type Conclusion, type ScenarioSetup, scenario } from 'groundswell/testing'
import { inParallel, keyOf, putProduct, send, signUp, wholeNumber } from './storefront.ts'

type State = {
  readonly sku: string
  readonly stock: number
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  readonly users: readonly number[]
  /** Orders that got their 202. */
  readonly orderIds: string[]
}

type Order = { readonly status: 'placed' | 'confirmed' | 'shipped' | 'rejected'; readonly reason?: string }

/** Time for the last order to come to its end, in milliseconds. */
const FINAL_TIMEOUT_MS = 120_000

/**
 * Everyone orders the same thing at once, and there is not enough. Settings: `orders` (2,000) at once, `stock` (1,000),
 * `users` (200). Fails when more was shipped than there was, or less than could have been, or an accepted order was
 * lost.
 */
export default scenario<State>({
  name: 'flash-sale',
  summary: '2,000 orders at once for 1,000 pieces',
  shape: (settings) => ({ burst: wholeNumber(settings, 'orders', 2_000) }),
  async prepare(setup) {
    const { settings, log } = setup
    const [key, operatorKey] = await Promise.all([keyOf('storefront', setup), keyOf('operator', setup)])
    const sku = settings.sku ?? `flash-${newId()}`
    const stock = wholeNumber(settings, 'stock', 1_000)
    await putProduct({ sku, stock, operatorKey }, setup)
    const users = await signUp(wholeNumber(settings, 'users', 200), setup)
    log(`prepared ${users.length} customers and ${stock} pieces of ${sku}`)
    return { sku, stock, key, headers: { apikey: key }, users, orderIds: [] }
  },
  request({ headers, sku, users }, n) {
    const body = { userId: users[n % users.length], lines: [{ sku, quantity: 1 }], cardToken: 'tok_visa' }
    return { method: 'POST', path: '/orders', headers, body }
  },
  verify({ orderIds }, { status, body }) {
    if (status !== 202) return `status ${status}`
    orderIds.push((JSON.parse(body) as { orderId: string }).orderId)
    return undefined
  },
  async conclude(state, _, setup) {
    setup.log(`${state.orderIds.length} orders were accepted; waiting until each is final`)
    const startedAtMs = performance.now()
    const tally = await tallyWhenFinal(state, setup)
    const finalAfterMs = Math.round(performance.now() - startedAtMs)
    const path = `/products/${state.sku}`
    const { stock: left } = (await send(setup, { method: 'GET', path, key: state.key })) as { stock: number }
    return judge(state, { tally, left, finalAfterMs })
  },
})

type Outcome = { readonly tally: ReadonlyMap<string, number>; readonly left: number; readonly finalAfterMs: number }

function judge({ stock, orderIds }: State, { tally, left, finalAfterMs }: Outcome): Conclusion {
  const shipped = tally.get('shipped') ?? 0
  const final = [...tally.values()].reduce((sum, count) => sum + count, 0)
  const problems = [
    ...(shipped > stock || left < 0 ? [`oversold: ${shipped} shipped of ${stock}, ${left} left`] : []),
    ...(final < orderIds.length ? [`${orderIds.length - final} accepted orders did not come to an end`] : []),
    ...(new Set(orderIds).size < orderIds.length ? ['two orders have one id'] : []),
    ...(shipped + left === stock ? [] : [`${shipped} shipped and ${left} left do not make ${stock}`]),
    ...(shipped < Math.min(stock, orderIds.length) ? [`only ${shipped} shipped, though there was stock for more`] : []),
  ]
  const figures = {
    accepted: orderIds.length,
    ...Object.fromEntries(tally),
    'stock left': left,
    'final after ms': finalAfterMs,
  }
  return { figures, problems }
}

/** How many orders ended how: `shipped`, `rejected: sold_out`, … Orders that do not end in time are not in it. */
async function tallyWhenFinal(state: State, setup: ScenarioSetup): Promise<ReadonlyMap<string, number>> {
  const tally = new Map<string, number>()
  const deadlineMs = performance.now() + FINAL_TIMEOUT_MS
  let open: readonly string[] = state.orderIds
  while (open.length > 0 && performance.now() < deadlineMs) {
    const unfinished: string[] = []
    await inParallel(open.length, async (index) => {
      const orderId = open[index] ?? ''
      const order = (await send(setup, { method: 'GET', path: `/orders/${orderId}`, key: state.key })) as Order
      const end = order.status === 'rejected' ? `rejected: ${order.reason}` : order.status
      if (order.status === 'placed' || order.status === 'confirmed') unfinished.push(orderId)
      else tally.set(end, (tally.get(end) ?? 0) + 1)
    })
    open = unfinished
  }
  return tally
}
