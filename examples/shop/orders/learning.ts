import type { Caller, Cluster, Context, Shard } from 'groundswell'
import { lookUpProducts } from '../catalog/contract.ts'
import { getUser } from '../users/contract.ts'
import { readCustomers, storeCustomers, storeProducts } from './projection.ts'

/**
 * Asking the owners for what a shard has not heard of yet. When a sale opens, thousands of orders want the same new
 * product at once: they share one question and one write.
 */
export type Asking = { readonly data: Cluster; readonly services: Caller; readonly context: Context }

/** Learns who a customer is. False when there is no such user. */
export function learnCustomer(asking: Asking, userId: number): Promise<boolean> {
  const shard = asking.data.forKey(userId)
  return together(asking.data, `${shard.index} user ${userId}`, () => askForUser(asking, shard, userId))
}

/** Whether there is such a user: as far as the shard has heard, else as the owner says. */
export async function isCustomer(asking: Asking, userId: number): Promise<boolean> {
  const known = await readCustomers(asking.data.forKey(userId), [{ userId }])
  return known.size > 0 || learnCustomer(asking, userId)
}

/** Learns products, for the shard of a customer. Answers the SKUs that do not exist. */
export async function learnProducts(
  asking: Asking,
  userId: number,
  skus: readonly string[],
): Promise<readonly string[]> {
  const shard = asking.data.forKey(userId)
  const sorted = skus.toSorted()
  return together(asking.data, `${shard.index} skus ${sorted.join(',')}`, () => askForProducts(asking, shard, sorted))
}

async function askForUser({ services, context }: Asking, shard: Shard, userId: number): Promise<boolean> {
  const user = await services(getUser, { params: { id: userId } }, context)
  if (user.status === 404) return false
  await storeCustomers(shard, [{ userId, email: user.body.email, name: user.body.name }])
  return true
}

async function askForProducts(
  { services, context }: Asking,
  shard: Shard,
  skus: readonly string[],
): Promise<readonly string[]> {
  const { body } = await services(lookUpProducts, { query: { skus: skus.join(',') } }, context)
  await storeProducts(shard, body.products)
  const known = new Set(body.products.map(({ sku }) => sku))
  return skus.filter((sku) => !known.has(sku))
}

const questions = new WeakMap<Cluster, Map<string, Promise<unknown>>>()

/** Runs `ask`, or joins whoever asks the same right now. */
function together<Answer>(data: Cluster, question: string, ask: () => Promise<Answer>): Promise<Answer> {
  const open = questions.get(data) ?? new Map<string, Promise<unknown>>()
  questions.set(data, open)
  const asked = open.get(question) as Promise<Answer> | undefined
  if (asked !== undefined) return asked
  const asking = ask().finally(() => open.delete(question))
  open.set(question, asking)
  return asking
}
