import { newId } from 'groundswell'
import type { ScenarioSetup } from 'groundswell/testing'

/** What scenarios need of a running shop: keys, customers and products. Everything goes through its public APIs. */

/** The key of a consumer of the gateway, asked of the Admin API. */
export async function keyOf(consumer: string, { adminUrl, fetch }: ScenarioSetup): Promise<string> {
  const answer = await fetch(`${adminUrl}/consumers/${consumer}/key-auth`)
  if (!answer.ok) throw new Error(`the Admin API answers ${answer.status} for the keys of ${consumer}`)
  const { data } = (await answer.json()) as { data: readonly { key: string }[] }
  const key = data[0]?.key
  if (key === undefined) throw new Error(`the consumer ${consumer} has no key`)
  return key
}

/** Signs up new customers; gives their ids. */
export async function signUp(count: number, setup: ScenarioSetup): Promise<readonly number[]> {
  const ids: number[] = []
  await inParallel(count, async (index) => {
    const body = { email: `load-${newId()}@example.com`, name: `Customer ${index}` }
    const { id } = (await send(setup, { method: 'POST', path: '/users', body })) as { id: number }
    ids.push(id)
  })
  return ids.sort((a, b) => a - b)
}

export async function putProduct(
  product: { readonly sku: string; readonly stock: number; readonly operatorKey: string },
  setup: ScenarioSetup,
): Promise<void> {
  const body = { name: `Load board ${product.sku}`, priceCents: 4_900, stock: product.stock }
  await send(setup, { method: 'PUT', path: `/products/${product.sku}`, key: product.operatorKey, body })
}

type Call = { readonly method: string; readonly path: string; readonly key?: string; readonly body?: unknown }

/** Calls the shop and gives the parsed answer. Throws with status and body when it is not 2xx. */
export async function send({ url, fetch }: ScenarioSetup, { method, path, key, body }: Call): Promise<unknown> {
  const headers = { 'content-type': 'application/json', ...(key === undefined ? {} : { apikey: key }) }
  const answer = await fetch(url + path, {
    method,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${method} ${path} answers ${answer.status}: ${text.slice(0, 200)}`)
  return JSON.parse(text)
}

const PARALLEL_MAX = 32

/** Runs `work` for 0..count-1, up to 32 at a time. */
export async function inParallel(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < count) await work(next++)
  }
  await Promise.all(Array.from({ length: Math.min(count, PARALLEL_MAX) }, worker))
}

/** A whole number from the settings of a run. */
export function wholeNumber(settings: ScenarioSetup['settings'], name: string, fallback: number): number {
  const text = settings[name]
  if (text === undefined) return fallback
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new Error(`the setting ${name} is "${text}", must be a whole number from 1`)
  return Number(text)
}
