import type { OrderPlaced, OrderRejected } from '../orders/contract.ts'

/** A letter to a customer: pure text, made from an event alone. */
export type Letter = { readonly to: string; readonly subject: string; readonly body: string }

export function orderReceived({ email, name, orderId, lines, totalCents }: OrderPlaced): Letter {
  const list = lines.map(({ sku, quantity, priceCents }) => `${quantity} × ${sku} at ${euros(priceCents)}`)
  return {
    to: email,
    subject: `We have your order ${orderId}`,
    body: `Hello ${name},\n\nthank you for your order:\n${list.join('\n')}\nTotal: ${euros(totalCents)}\n`,
  }
}

export function orderRejected({ email, name, orderId, reason, totalCents }: OrderRejected): Letter {
  const why = reason === 'sold_out' ? 'it is sold out' : 'the payment was declined'
  return {
    to: email,
    subject: `We are sorry about your order ${orderId}`,
    body: `Hello ${name},\n\nwe could not fill your order because ${why}. You pay nothing of the ${euros(totalCents)}.\n`,
  }
}

function euros(cents: number): string {
  return `${(cents / 100).toFixed(2)} €`
}
