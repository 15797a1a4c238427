import { allProducts, ask } from './api.js'
import { artOf, scene } from './art.js'
import { byId, countText, giveUp, make, notice, priceText } from './page.js'
import { repeat } from './repeat.js'
import { isFinal, showTimeline, stepsOf } from './timeline.js'

/** One order, followed until nothing more will happen. */

const PAUSE_MS_MAX = 5_000

/** @typedef {import('./timeline.js').Order} Order */

const orderId = new URLSearchParams(location.search).get('id') ?? ''
let areLinesShown = false

async function show() {
  await repeat(
    async () => {
      const order = await ask(`/orders/${encodeURIComponent(orderId)}`, { withKey: true })
      showOrder(order)
      return isFinal(order)
    },
    { pauseMsMax: PAUSE_MS_MAX, onTrouble: notice },
  )
  notice(undefined)
}

/** @param {Order} order */
function showOrder(order) {
  byId('order').hidden = false
  byId('number').textContent = order.orderId.slice(-12)
  const { headline, explanation } = wordsOf(order)
  byId('headline').textContent = headline
  byId('explanation').textContent = explanation
  announce(`${headline} ${explanation}`)
  byId('verdict').dataset.status = order.status
  byId('verdict').style.setProperty('--level', String(levelOf(order)))
  showTimeline(byId('timeline'), order)
  byId('sum').textContent = priceText(order.totalCents)
  if (isFinal(order)) showNext(order)
  if (!areLinesShown) {
    areLinesShown = true
    byId('verdict').append(artOf(order.lines[0]?.sku ?? ''))
    showLines(order).catch(giveUp)
  }
}

/** Read out by screen readers: each change once, and not the silence between. @param {string} text */
function announce(text) {
  const place = byId('announcement')
  if (place.textContent !== text) place.textContent = text
}

/** @param {Order} order */
function wordsOf({ status, reason }) {
  if (status === 'shipped')
    return { headline: 'It is on its way.', explanation: 'Paid, packed and shipped. Nothing left to do.' }
  if (status === 'confirmed')
    return { headline: 'It is yours.', explanation: 'Paid and set aside for you. It is being packed.' }
  if (status === 'placed') {
    return { headline: 'We have your order.', explanation: 'The bank and the shelf are being asked at the same time.' }
  }
  return reason === 'sold_out'
    ? {
        headline: 'Sold out.',
        explanation: 'Somebody was faster. Your card is not charged; if it was, you have the money back.',
      }
    : {
        headline: 'The card was declined.',
        explanation: 'Nothing was charged, and what was set aside is back on the shelf.',
      }
}

/** How high the water stands, by the number of steps that are done: when all are, everything is afloat. */
const LEVELS = [0, 0.16, 0.25, 0.34, 0.43, 1]

/** @param {Order} order */
function levelOf(order) {
  if (order.status === 'rejected') return 0
  return LEVELS[stepsOf(order).filter(({ state }) => state === 'done').length] ?? 0
}

/** @param {Order} order */
function showNext({ status, reason, lines }) {
  if (byId('next').hasChildNodes()) return
  const first = lines[0]?.sku ?? ''
  const again = make('a', { class: 'button', href: `product?sku=${encodeURIComponent(first)}` }, 'Try another card')
  const goods = make(
    'a',
    { class: 'button', href: './' },
    status === 'shipped' ? 'Back to the goods' : 'See what is left',
  )
  byId('next').append(reason === 'payment_declined' ? again : goods)
}

/** Orders know SKUs; names are the catalogue's. @param {Order} order */
async function showLines({ lines }) {
  const show = (/** @type {Map<string, string>} */ names) => {
    byId('lines').replaceChildren(
      ...lines.map(({ sku, quantity, priceCents }) =>
        make(
          'li',
          {},
          scene(sku),
          make('span', { class: 'line-name' }, names.get(sku) ?? sku),
          make('span', { class: 'line-count' }, `${countText(quantity)} × ${priceText(priceCents)}`),
        ),
      ),
    )
  }
  show(new Map())
  show(new Map((await allProducts()).map(({ sku, name }) => [sku, name])))
}

show().catch((error) => giveUp(error, error.status === 404 ? 'There is no such order.' : undefined))
