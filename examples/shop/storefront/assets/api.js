/**
 * The shop's API as the pages call it. What goes wrong is always a `Refusal`, with words for people.
 *
 * @typedef {'offline' | 'limited' | 'refused' | 'failed'} RefusalKind
 */
export class Refusal extends Error {
  /**
   * @param {RefusalKind} kind
   * @param {string} message
   * @param {{ status?: number, code?: string | undefined, retryAfterSeconds?: number }} [details]
   */
  constructor(kind, message, details = {}) {
    super(message)
    this.kind = kind
    this.status = details.status
    /** The problem's code, such as EMAIL_TAKEN. */
    this.code = details.code
    /** How long the gateway asks us to wait; only of `limited`. */
    this.retryAfterSeconds = details.retryAfterSeconds
  }
}

/** Time an answer may take. Longer than the gateway's own minute would only hide that nobody answers. */
const ANSWER_TIMEOUT_MS = 20_000

/**
 * @param {string} path
 * @param {{ method?: string, body?: unknown, headers?: Record<string, string>, withKey?: boolean }} [options]
 * @returns {Promise<any>} the body
 */
export async function ask(path, { method = 'GET', body, headers = {}, withKey = false } = {}) {
  const key = withKey ? { apikey: await apiKey() } : {}
  const content = body === undefined ? {} : { 'content-type': 'application/json' }
  const response = await send(path, {
    method,
    headers: { accept: 'application/json', ...content, ...key, ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const answer = await response.json().catch(() => ({}))
  if (response.ok) return answer
  throw refusalOf(response, answer)
}

/** @type {Promise<string> | undefined} */
let knownKey

/** The publishable key of this site. It says that the storefront calls, not who sits before it. */
function apiKey() {
  knownKey ??= ask('config.json').then((config) => config.apiKey)
  // What failed is asked for again next time.
  knownKey.catch(() => {
    knownKey = undefined
  })
  return knownKey
}

/** @param {string} path @param {RequestInit} request */
async function send(path, request) {
  try {
    return await fetch(path, { ...request, signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) })
  } catch (error) {
    const reason = navigator.onLine ? 'The shop does not answer.' : 'You are offline.'
    throw new Refusal('offline', reason, { code: error instanceof Error ? error.name : '' })
  }
}

/** @param {Response} response @param {{ detail?: string, code?: string }} problem */
function refusalOf(response, { detail, code }) {
  const { status } = response
  if (status === 429 || status === 503) {
    const seconds = Number(response.headers.get('retry-after'))
    const busy = status === 429 ? 'Too many requests at once.' : 'The shop is too busy right now.'
    return new Refusal('limited', busy, { status, retryAfterSeconds: seconds > 0 ? seconds : 2 })
  }
  if (status >= 500) return new Refusal('failed', 'Something went wrong in the shop.', { status, code })
  return new Refusal('refused', detail ?? `The shop refused this (${status}).`, { status, code })
}

/** @typedef {{ sku: string, name: string, priceCents: number }} Product */

/** Every product, page by page. @returns {Promise<Product[]>} */
export async function allProducts() {
  const products = []
  let cursor
  do {
    const query = cursor === undefined ? '' : `&cursor=${encodeURIComponent(cursor)}`
    const page = await ask(`/products?limit=100${query}`)
    products.push(...page.products)
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return products
}

/** The most products that one question about stock may name. */
const SKUS_MAX = 50

/** What is left, by SKU. @param {string[]} skus @returns {Promise<Map<string, number>>} */
export async function stockOf(skus) {
  const pages = []
  for (let from = 0; from < skus.length; from += SKUS_MAX) {
    pages.push(ask(`/stock?skus=${skus.slice(from, from + SKUS_MAX).join(',')}`))
  }
  const levels = (await Promise.all(pages)).flatMap((page) => page.levels)
  return new Map(levels.map(({ sku, available }) => [sku, available]))
}
