import { ask, Refusal, stockOf } from './api.js'
import { scene, setTide, showStock } from './art.js'
import { forgetCustomer, register, rememberedCustomer } from './customer.js'
import { byId, giveUp, make, notice, priceText } from './page.js'
import { placeOrder } from './purchase.js'
import { repeat } from './repeat.js'

/** One of the goods, and the form that buys it. */

const STOCK_PAUSE_MS = 2_000

/** What one purchase takes at the most: a sale is for many. */
const QUANTITY_MAX = 10

const sku = new URLSearchParams(location.search).get('sku') ?? ''
const form = byId('purchase')
const quantity = byId('quantity')
const buy = byId('buy')

let priceCents = 0
let available = 0
/** Sending, or told to wait: nothing else is sent meanwhile. */
let isBusy = false

async function show() {
  /** @type {{ name: string, priceCents: number, stock: number } | undefined} */
  let product
  await repeat(
    async () => {
      product = await ask(`/products/${encodeURIComponent(sku)}`)
      return true
    },
    { pauseMsMax: 10_000, onTrouble: notice },
  )
  if (product === undefined) return
  notice(undefined)
  document.title = `${product.name} · Groundswell surf supply`
  byId('name').textContent = product.name
  priceCents = product.priceCents
  byId('price').textContent = priceText(priceCents)
  const picture = scene(sku)
  picture.classList.add('scene-large')
  byId('good').replaceChildren(picture)
  byId('good').removeAttribute('aria-busy')
  showCustomer()
  form.hidden = false
  showLevel(product.stock)
  await repeat(
    async () => {
      showLevel((await stockOf([sku])).get(sku) ?? 0)
      return false
    },
    // The form says what it cannot do when it is used; that the count is a moment old is no trouble.
    { pauseMsMax: STOCK_PAUSE_MS, steady: true, onTrouble: notice },
  )
}

/** @param {number} level */
function showLevel(level) {
  available = level
  setTide(document.querySelector('.scene'), level)
  showStock(byId('stock'), level)
  quantity.max = String(Math.max(1, Math.min(QUANTITY_MAX, level)))
  showTotal()
}

function showTotal() {
  const chosen = quantity.validity.valid ? quantity.valueAsNumber : 0
  byId('total').textContent = available > 0 && chosen > 0 ? priceText(chosen * priceCents) : ''
  byId('fewer').disabled = chosen <= 1
  byId('more').disabled = chosen >= Number(quantity.max)
  buy.firstElementChild.textContent = available > 0 ? 'Buy' : 'Sold out'
  buy.disabled = isBusy || available === 0
}

function showCustomer() {
  const customer = rememberedCustomer()
  byId('known').hidden = customer === undefined
  byId('stranger').hidden = customer !== undefined
  byId('stranger').disabled = customer !== undefined
  byId('known-name').textContent = customer?.name ?? ''
  byId('known-email').textContent = customer?.email ?? ''
}

/** @param {-1 | 1} by */
function step(by) {
  if (by > 0) quantity.stepUp()
  else quantity.stepDown()
  showTotal()
}

async function purchase() {
  const entered = new FormData(form)
  const text = (/** @type {string} */ name) => String(entered.get(name) ?? '')
  const customer = rememberedCustomer() ?? (await register({ name: text('name'), email: text('email') }))
  showCustomer()
  const lines = [{ sku, quantity: quantity.valueAsNumber }]
  return placeOrder({ userId: customer.id, lines, cardToken: text('cardToken') })
}

/** @param {SubmitEvent} event */
async function submit(event) {
  event.preventDefault()
  if (isBusy) return
  setBusy(true)
  byId('refusal').replaceChildren()
  try {
    const orderId = await purchase()
    location.assign(`order?id=${encodeURIComponent(orderId)}`)
    // Busy until the page is left: there is nothing more to click here.
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    await explain(error)
    setBusy(false)
  }
}

/** @param {boolean} busy */
function setBusy(busy) {
  isBusy = busy
  form.classList.toggle('is-busy', busy)
  showTotal()
  if (busy) buy.firstElementChild.textContent = 'Placing the order'
}

/** Says what went wrong and what to do; resolves when it makes sense to try again. @param {Refusal} refusal */
async function explain(refusal) {
  const place = byId('refusal')
  const say = (/** @type {string} */ text) => place.replaceChildren(make('p', {}, text))
  if (refusal.kind === 'limited') return countDown(refusal)
  if (refusal.code === 'EMAIL_TAKEN') {
    say('Somebody has registered with this e-mail address already. This shop has no passwords: please use another one.')
    form.elements.email.focus()
    return
  }
  if (refusal.code === 'USER_UNKNOWN') {
    forgetCustomer()
    showCustomer()
    return say('The shop does not know you any more. Please say again who you are.')
  }
  if (refusal.kind === 'refused') return say(refusal.message)
  say(`${refusal.message} We cannot tell whether the order arrived. Press Buy again: it will be placed once.`)
}

/** @param {Refusal} refusal */
async function countDown({ message, retryAfterSeconds = 1 }) {
  const seconds = make('span', {}, '')
  // Read out once: the numbers that follow are for the eyes.
  seconds.setAttribute('aria-hidden', 'true')
  byId('refusal').replaceChildren(make('p', {}, `${message} Your order was not placed. You can try again in `, seconds))
  for (let left = retryAfterSeconds; left > 0; left--) {
    seconds.textContent = left > 90 ? `${Math.ceil(left / 60)} minutes.` : `${left} s.`
    await new Promise((resolve) => setTimeout(resolve, 1_000))
  }
  byId('refusal').replaceChildren(make('p', {}, 'You can try again now.'))
}

form.addEventListener('submit', submit)
quantity.addEventListener('input', showTotal)
byId('fewer').addEventListener('click', () => step(-1))
byId('more').addEventListener('click', () => step(1))
byId('forget').addEventListener('click', () => {
  forgetCustomer()
  showCustomer()
  form.elements.name.focus()
})
// A page that comes back by the browser's Back must not still be busy.
addEventListener('pageshow', (event) => {
  if (event.persisted) setBusy(false)
})

show().catch((error) => giveUp(error, error.status === 404 ? 'There is no such thing in the shop.' : undefined))
