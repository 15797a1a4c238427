import { ask } from './api.js'
import { Memory } from './memory.js'

/**
 * Who buys, as this browser remembers it. The shop has no passwords: a customer is who has registered here.
 *
 * @typedef {{ id: number, name: string, email: string }} Customer
 */
const memory = new Memory('localStorage', 'groundswell.customer')

/** @returns {Customer | undefined} */
export function rememberedCustomer() {
  const kept = memory.recall()
  return Number.isInteger(kept?.id) ? kept : undefined
}

/** @param {{ name: string, email: string }} person @returns {Promise<Customer>} */
export async function register(person) {
  const customer = await ask('/users', { method: 'POST', body: person })
  memory.keep(customer)
  return customer
}

export function forgetCustomer() {
  memory.forget()
}
