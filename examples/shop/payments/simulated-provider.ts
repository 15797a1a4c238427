import { setTimeout as pause } from 'node:timers/promises'
import { type BatchWrite, bucketOf } from 'groundswell'
import { joinByIndex } from '../index-joins.ts'
import type { ChargeRequest, ConnectProvider } from './provider.ts'

/**
 * A payment provider for development and tests. The card token decides: `tok_visa` is approved, `tok_slow` too after
 * a second, `tok_fail_once` fails at the first attempt, other `tok_fail…` always, everything else is declined.
 *
 * Its books are tables of their own, written in transactions of their own, like those of a provider elsewhere would
 * be: tests prove from them that money was taken once and only for shipped orders.
 */
export const simulatedProvider: ConnectProvider = (data) => ({
  async charge(request) {
    if (request.cardToken === 'tok_slow') await pause(SLOW_MS, undefined, { signal: request.signal })
    const state = await data.forKey(request.userId).write(bookCharges, request)
    if (state === 'failed') throw new Error(`the payment provider failed to charge ${request.cardToken}; try again`)
    return state === 'declined' ? 'declined' : 'approved'
  },
  async refund({ userId, chargeKey }) {
    await data.forKey(userId).write(bookRefunds, { userId, chargeKey })
  },
})

const SLOW_MS = 1_000

/** charged ──refund──▶ refunded; failed ──another attempt──▶ charged, for tokens that recover; declined stays. */
type ChargeState = 'charged' | 'declined' | 'failed' | 'refunded'

const bookCharges: BatchWrite<ChargeRequest, ChargeState> = {
  name: 'payment-provider.charge',
  batchMax: 1_000,
  run: async (tx, requests) => {
    const charges = [...new Map(requests.map((request) => [request.idempotencyKey, request])).values()]
    charges.sort((a, b) => (a.idempotencyKey < b.idempotencyKey ? -1 : 1))
    const rows = await tx.query<{ key: string; state: ChargeState }>(BOOK_CHARGES, [
      charges.map(({ userId }) => bucketOf(userId)),
      charges.map(({ idempotencyKey }) => idempotencyKey),
      charges.map(({ amountCents }) => amountCents),
      charges.map(({ cardToken }) => firstStateOf(cardToken)),
      charges.map(({ cardToken }) => cardToken === 'tok_fail_once'),
    ])
    const states = new Map(rows.map(({ key, state }) => [key, state]))
    return requests.map(({ idempotencyKey }) => states.get(idempotencyKey) ?? 'failed')
  },
}

const bookRefunds: BatchWrite<{ readonly userId: number; readonly chargeKey: string }, undefined> = {
  name: 'payment-provider.refund',
  run: async (tx, refunds) => {
    const sorted = refunds.toSorted((a, b) => (a.chargeKey < b.chargeKey ? -1 : 1))
    joinByIndex(tx)
    void tx.query(BOOK_REFUNDS, [
      sorted.map(({ userId }) => bucketOf(userId)),
      sorted.map(({ chargeKey }) => chargeKey),
    ])
    return refunds.map(() => undefined)
  },
}

function firstStateOf(cardToken: string): ChargeState {
  if (cardToken.startsWith('tok_fail')) return 'failed'
  return cardToken === 'tok_visa' || cardToken === 'tok_slow' ? 'charged' : 'declined'
}

/** A repeated charge finds its row: the conflict's update returns it, and lets a token that recovers recover. */
const BOOK_CHARGES = `
  INSERT INTO payment_provider.charge AS charge (bucket, idempotency_key, amount_cents, state, recovers)
  SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::bigint[], $4::text[], $5::boolean[])
  ON CONFLICT (bucket, idempotency_key) DO UPDATE SET
    attempts = charge.attempts + 1,
    state = CASE WHEN charge.state = 'failed' AND charge.recovers THEN 'charged' ELSE charge.state END
  RETURNING idempotency_key AS key, state`

const BOOK_REFUNDS = `
  UPDATE payment_provider.charge SET state = 'refunded'
  FROM (
    SELECT * FROM unnest($1::smallint[], $2::uuid[]) AS refund (bucket, idempotency_key) ORDER BY idempotency_key
  ) AS refund
  WHERE charge.bucket = refund.bucket AND charge.idempotency_key = refund.idempotency_key AND charge.state = 'charged'`
