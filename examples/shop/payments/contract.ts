import { event } from 'groundswell'
import { z } from 'zod'

const Payment = z.object({ orderId: z.string(), userId: z.int(), amountCents: z.int() })
const byUser = { key: (payment: { readonly userId: number }) => payment.userId }

export const PaymentAuthorized = event('payment.authorized', 1, Payment, byUser)

export const PaymentDeclined = event('payment.declined', 1, Payment, byUser)

/** Money of a rejected order is to be given back. The payment service tells itself, so that it survives a crash. */
export const RefundDue = event('payment.refund-due', 1, Payment.extend({ chargeKey: z.string() }), byUser)
export type RefundDue = z.infer<typeof RefundDue.schema>
