import { allProducts, stockOf } from './api.js'
import { scene, setTide, showStock } from './art.js'
import { byId, giveUp, make, notice, priceText } from './page.js'
import { repeat } from './repeat.js'

/** All goods, their stock live. */

const STOCK_PAUSE_MS = 3_000

/** @typedef {import('./api.js').Product} Product */
/** @type {Product[]} */
let products = []

async function show() {
  await repeat(
    async () => {
      products = await allProducts()
      return true
    },
    { pauseMsMax: 10_000, onTrouble: notice },
  )
  notice(undefined)
  const list = byId('list')
  list.replaceChildren(...products.map(cardOf))
  list.removeAttribute('aria-busy')
  await repeat(
    async () => {
      showLevels(await stockOf(products.map(({ sku }) => sku)))
      return false
    },
    { pauseMsMax: STOCK_PAUSE_MS, steady: true, onTrouble: showLiveness },
  )
}

/** @param {Product} product */
function cardOf({ sku, name, priceCents }) {
  const href = `product?sku=${encodeURIComponent(sku)}`
  return make(
    'li',
    { class: 'good', 'data-sku': sku },
    make(
      'a',
      { href },
      scene(sku),
      make('span', { class: 'good-name' }, name),
      make('span', { class: 'price' }, priceText(priceCents)),
      make('span', { class: 'stock' }, '\u00a0'),
    ),
  )
}

/** @param {Map<string, number>} levels */
function showLevels(levels) {
  for (const card of document.querySelectorAll('[data-sku]')) {
    if (!(card instanceof HTMLElement)) continue
    const available = levels.get(card.dataset.sku ?? '') ?? 0
    setTide(card.querySelector('.scene'), available)
    const stock = card.querySelector('.stock')
    if (stock instanceof HTMLElement) showStock(stock, available)
  }
  showScarcest(levels)
}

/** The scarcest thing that can still be had gets the stage. @param {Map<string, number>} levels */
function showScarcest(levels) {
  const left = products.filter(({ sku }) => (levels.get(sku) ?? 0) > 0)
  const scarcest = left.toSorted((a, b) => (levels.get(a.sku) ?? 0) - (levels.get(b.sku) ?? 0))[0]
  const stage = byId('scarcest')
  stage.hidden = scarcest === undefined
  if (scarcest === undefined) return
  if (stage.dataset.shown !== scarcest.sku) {
    stage.dataset.shown = scarcest.sku
    const card = cardOf(scarcest)
    stage.replaceChildren(make('p', { class: 'eyebrow' }, 'Lowest tide right now'), ...card.childNodes)
  }
  const available = levels.get(scarcest.sku)
  setTide(stage.querySelector('.scene'), available)
  showStock(stage.querySelector('.stock'), available)
}

/** @param {import('./api.js').Refusal | undefined} refusal */
function showLiveness(refusal) {
  const live = byId('live')
  live.textContent = refusal === undefined ? 'stock is live' : 'stock as of a moment ago'
  live.classList.toggle('is-stale', refusal !== undefined)
}

show().catch(giveUp)
