import { ask } from './api.js'
import { Memory } from './memory.js'

/**
 * Buying once. A purchase gets its idempotency key when it is first sent, and keeps it until the shop has accepted it:
 * clicked twice, tried again after a lost answer, or sent again after a reload, it is the same purchase, and the shop
 * answers with the same order. Any change to it makes it another one.
 *
 *     (none) ──buy──▶ pending ──accepted, or refused for good──▶ (none)
 *                      └──no answer, or told to wait──▶ pending, under the same key
 *
 * @typedef {{ userId: number, lines: { sku: string, quantity: number }[], cardToken: string }} Order
 */
const memory = new Memory('sessionStorage', 'groundswell.pending-purchase')

/** Sends the order; answers its id. @param {Order} order @returns {Promise<string>} */
export async function placeOrder(order) {
  const body = JSON.stringify(order)
  const pending = memory.recall()
  const key = pending?.body === body ? pending.key : newKey()
  memory.keep({ key, body })
  const headers = { 'idempotency-key': key }
  const accepted = await ask('/orders', { method: 'POST', body: order, headers, withKey: true })
  memory.forget()
  return accepted.orderId
}

/** 128 random bits. (`randomUUID` is there only for pages that came by HTTPS or from this machine.) */
function newKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
