import { countText, make } from './page.js'

/** Pictures of goods, standing in water that is as high as there is stock. */

const SPRITE = new URL('goods.svg', import.meta.url).href
const SVG = 'http://www.w3.org/2000/svg'

/** The goods that have a picture of their own; all others come in a parcel. */
const DRAWN = new Set([
  'surfboard-62',
  'longboard-92',
  'wetsuit-4-3',
  'wetsuit-3-2',
  'boots-5mm',
  'leash-7',
  'wax-cold',
  'wax-warm',
  'fins-tri',
  'poncho',
  'dry-bag-30',
  'tide-watch',
])

/** The picture alone. Decoration: the name stands beside it. @param {string} sku */
export function artOf(sku) {
  const name = DRAWN.has(sku) ? sku : 'parcel'
  const art = document.createElementNS(SVG, 'svg')
  art.setAttribute('class', `art art-${name}`)
  art.setAttribute('aria-hidden', 'true')
  const use = document.createElementNS(SVG, 'use')
  use.setAttribute('href', `${SPRITE}#${name}`)
  art.append(use)
  return art
}

/** The picture and its water. @param {string} sku */
export function scene(sku) {
  return make('div', { class: 'scene' }, artOf(sku), make('div', { class: 'water' }))
}

/** Lets the water of a scene rise or fall. @param {Element | null} element @param {number | undefined} available */
export function setTide(element, available) {
  if (!(element instanceof HTMLElement) || available === undefined) return
  element.classList.toggle('is-dry', available === 0)
  element.style.setProperty('--level', String(levelOf(available)))
}

/** Height of the water, 0 to 1: nothing is dry, and every tenfold is as much higher again. @param {number} available */
function levelOf(available) {
  return available === 0 ? 0 : Math.min(0.72, 0.08 + 0.1 * Math.log10(available))
}

/** From here on it is worth a word of warning. */
const FEW = 25

/** @param {number | undefined} available */
export function stockText(available) {
  if (available === undefined) return '\u00a0'
  if (available === 0) return 'Sold out'
  return available <= FEW ? `Only ${countText(available)} left` : `${countText(available)} left`
}

/** @param {HTMLElement} element @param {number | undefined} available */
export function showStock(element, available) {
  const text = stockText(available)
  // Written only when it changes: a live region would read out every repetition.
  if (element.textContent !== text) element.textContent = text
  element.classList.toggle('is-few', available !== undefined && available > 0 && available <= FEW)
  element.classList.toggle('is-out', available === 0)
}
