import type { Cluster } from 'groundswell'

/**
 * The port to whoever moves the money. Promises:
 * - the same idempotency key charges once and answers the same each time;
 * - a refund gives back a whole charge once, however often it is asked for; one of an unknown or declined charge does
 *   nothing;
 * - what is thrown is worth another try under the same key.
 */
export type PaymentProvider = {
  charge(request: ChargeRequest): Promise<'approved' | 'declined'>
  refund(request: RefundRequest): Promise<void>
}

export type ChargeRequest = {
  readonly idempotencyKey: string
  readonly userId: number
  readonly amountCents: number
  readonly cardToken: string
  /** Gives up waiting; the charge may happen all the same. */
  readonly signal: AbortSignal
}

export type RefundRequest = {
  /** Idempotency key of the charge. */
  readonly chargeKey: string
  readonly userId: number
  readonly signal: AbortSignal
}

/** Connects to a provider. Gets the cluster because the simulated one keeps its books there. */
export type ConnectProvider = (data: Cluster) => PaymentProvider
