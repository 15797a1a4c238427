import { Refusal } from './api.js'

/** What all pages need of the document. */

/** The element with this id, which the page is known to have. @param {string} id @returns {any} */
export function byId(id) {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`the page has no #${id}`)
  return element
}

/**
 * Makes an element. Text is always text: nothing here parses markup.
 *
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  element.append(...children)
  return element
}

const euros = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' })
const count = new Intl.NumberFormat('en')

/** @param {number} cents */
export const priceText = (cents) => euros.format(cents / 100)

/** @param {number} number */
export const countText = (number) => count.format(number)

/**
 * Shows what went wrong at the top of the page, or, with undefined, that nothing does.
 *
 * @param {Refusal | undefined} refusal
 */
export function notice(refusal) {
  const place = byId('notice')
  if (refusal === undefined) return place.replaceChildren()
  const wait = refusal.retryAfterSeconds
  const hope = wait === undefined ? 'Trying again by itself.' : `Trying again in ${wait} s.`
  place.replaceChildren(make('p', { class: 'notice', role: 'status' }, `${refusal.message} ${hope}`))
}

/** Shows what will not go away by itself. @param {unknown} error @param {string} [instead] words for a refusal */
export function giveUp(error, instead) {
  if (!(error instanceof Refusal)) throw error
  byId('notice').replaceChildren(make('p', { class: 'notice', role: 'alert' }, instead ?? error.message))
}
