import { allProducts, ask } from './api.js'
import { scene } from './art.js'
import { rememberedCustomer } from './customer.js'
import { byId, giveUp, make, notice, priceText } from './page.js'
import { repeat } from './repeat.js'
import { isFinal } from './timeline.js'

/** What this browser's customer ordered, newest first. The newest page is followed until all of it is final. */

const PAUSE_MS_MAX = 5_000

/** @typedef {import('./timeline.js').Order} Order */

/** @type {Map<string, string>} */
let names = new Map()
/** @type {Order[]} */
let olderOrders = []
/** @type {string | undefined} */
let nextCursor

/** @param {number} userId */
async function show(userId) {
  names = new Map((await allProducts()).map(({ sku, name }) => [sku, name]))
  let isFirst = true
  await repeat(
    async () => {
      const page = await ask(`/users/${userId}/orders`, { withKey: true })
      if (isFirst) setCursor(page.nextCursor)
      isFirst = false
      showOrders(page.orders)
      return page.orders.every(isFinal)
    },
    { pauseMsMax: PAUSE_MS_MAX, onTrouble: notice },
  )
  notice(undefined)
}

/** @type {Order[]} */
let newestOrders = []

/** @param {Order[]} orders */
function showOrders(orders) {
  newestOrders = orders
  const all = [...newestOrders, ...olderOrders]
  byId('list').replaceChildren(...all.map(rowOf))
  if (all.length === 0) byId('notice').replaceChildren(make('p', { class: 'notice' }, 'Nothing yet. The tide is in.'))
}

const STATUS_WORDS = { placed: 'Placed', confirmed: 'Confirmed', shipped: 'Shipped' }
const REASON_WORDS = { sold_out: 'Sold out', payment_declined: 'Card declined' }

/** @param {Order} order */
function rowOf({ orderId, status, reason, lines, totalCents }) {
  const words = status === 'rejected' ? REASON_WORDS[reason ?? 'sold_out'] : STATUS_WORDS[status]
  const what = lines.map(({ sku, quantity }) => `${quantity} × ${names.get(sku) ?? sku}`).join(', ')
  return make(
    'li',
    {},
    make(
      'a',
      { href: `order?id=${encodeURIComponent(orderId)}` },
      scene(lines[0]?.sku ?? ''),
      make('span', { class: 'line-name' }, what, make('small', {}, clock.format(placedAtMs(orderId)))),
      make('span', { class: 'price' }, priceText(totalCents)),
      make('span', { class: `status is-${status}` }, words),
    ),
  )
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

/**
 * An order's id is a UUIDv7: it begins with the milliseconds of its birth. Source: RFC 9562.
 *
 * @param {string} orderId
 */
function placedAtMs(orderId) {
  return Number.parseInt(orderId.replaceAll('-', '').slice(0, 12), 16)
}

/** @param {string | undefined} cursor */
function setCursor(cursor) {
  nextCursor = cursor
  byId('older').hidden = cursor === undefined
}

/** @param {number} userId */
async function showOlder(userId) {
  const page = await ask(`/users/${userId}/orders?cursor=${encodeURIComponent(nextCursor ?? '')}`, { withKey: true })
  olderOrders = [...olderOrders, ...page.orders]
  setCursor(page.nextCursor)
  showOrders(newestOrders)
}

const customer = rememberedCustomer()
if (customer === undefined) {
  byId('whose').append(
    'Nobody has bought anything from this browser yet. ',
    make('a', { href: './' }, 'See the goods'),
    '.',
  )
} else {
  byId('whose').textContent = `Bought as ${customer.name}, ${customer.email}.`
  byId('older').addEventListener('click', () => void showOlder(customer.id).catch(giveUp))
  show(customer.id).catch(giveUp)
}
