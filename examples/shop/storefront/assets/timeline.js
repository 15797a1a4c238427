import { make } from './page.js'

/**
 * The course of an order as five steps. Payment and stock are two services that work at the same time: whichever is
 * first, their places stay.
 *
 * @typedef {{ status: string, at: string }} Entry
 * @typedef {{ orderId: string, userId: number, status: 'placed' | 'confirmed' | 'shipped' | 'rejected',
 *   reason?: 'payment_declined' | 'sold_out', totalCents: number,
 *   lines: { sku: string, quantity: number, priceCents: number }[], history: Entry[] }} Order
 * @typedef {{ state: 'done' | 'failed' | 'active' | 'waiting' | 'spared', words: string, at: string | undefined }} Step
 */

const FINAL = new Set(['shipped', 'rejected'])

/** Whether nothing more will happen. @param {{ status: string }} order */
export const isFinal = ({ status }) => FINAL.has(status)

/** @param {Order} order @returns {Step[]} */
export function stepsOf({ status, reason, history }) {
  const at = new Map(history.map((entry) => [entry.status, entry.at]))
  const isOver = status === 'rejected'
  /** @type {(good: [entry: string, words: string], bad: [entry: string, words: string], hope: string) => Step} */
  const verdict = ([good, yes], [bad, no], hope) => {
    if (at.has(good)) return { state: 'done', words: yes, at: at.get(good) }
    if (at.has(bad)) return { state: 'failed', words: no, at: at.get(bad) }
    return isOver
      ? { state: 'spared', words: 'Not needed any more', at: undefined }
      : { state: 'active', words: hope, at: undefined }
  }
  const paid = isOver ? 'Card accepted, and the money given back' : 'Card accepted'
  const reserved = isOver ? 'Set aside, and put back on the shelf' : 'Set aside for you'
  /** @type {Step[]} */
  const steps = [
    { state: 'done', words: 'Order placed', at: at.get('placed') },
    verdict(['payment_authorized', paid], ['payment_declined', 'Card declined'], 'Asking the bank'),
    verdict(['stock_reserved', reserved], ['stock_rejected', 'Sold out'], 'Looking on the shelf'),
  ]
  if (isOver) {
    const words = reason === 'sold_out' ? 'Rejected: sold out' : 'Rejected: card declined'
    return [...steps, { state: 'failed', words, at: at.get('rejected') }]
  }
  return [
    ...steps,
    following('confirmed', 'Confirmed', 'Waiting for both'),
    following('shipped', 'Shipped', 'To be shipped'),
  ]

  /** @param {string} entry @param {string} yes @param {string} hope @returns {Step} */
  function following(entry, yes, hope) {
    if (at.has(entry)) return { state: 'done', words: yes, at: at.get(entry) }
    const isNext = entry === 'shipped' && at.has('confirmed')
    return { state: isNext ? 'active' : 'waiting', words: isNext ? 'Packing' : hope, at: undefined }
  }
}

const STATE_WORDS = { done: 'done', failed: 'failed', active: 'under way', waiting: 'to come', spared: 'left out' }

/**
 * Brings a list up to date without touching what stays, so that only what is new moves.
 *
 * @param {Element} list
 * @param {Order} order
 */
export function showTimeline(list, order) {
  const steps = stepsOf(order)
  const placedAt = steps[0]?.at
  steps.forEach((step, index) => {
    const item = list.children[index] ?? list.appendChild(make('li'))
    const signature = `${step.state} ${step.words}`
    if (item.getAttribute('data-shown') === signature) return
    item.setAttribute('data-shown', signature)
    item.className = `step is-${step.state}`
    item.replaceChildren(
      make('span', { class: 'step-words' }, step.words),
      make('span', { class: 'unseen' }, ` (${STATE_WORDS[step.state]})`),
      timeOf(step, placedAt),
    )
  })
  while (list.children.length > steps.length) list.lastElementChild?.remove()
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })

/** The first step says when, the others how long after. @param {Step} step @param {string | undefined} placedAt */
function timeOf({ at }, placedAt) {
  if (at === undefined || placedAt === undefined) return make('span', { class: 'step-time' })
  const afterMs = Date.parse(at) - Date.parse(placedAt)
  const words = at === placedAt ? clock.format(Date.parse(at)) : afterText(afterMs)
  return make('time', { class: 'step-time', datetime: at, title: clock.format(Date.parse(at)) }, words)
}

/** @param {number} ms */
function afterText(ms) {
  if (ms < 1_000) return `+${Math.max(0, ms)} ms`
  return ms < 60_000 ? `+${(ms / 1_000).toFixed(1)} s` : `+${Math.round(ms / 60_000)} min`
}
