import { randomFillSync } from 'node:crypto'

/**
 * Ids of requests, 32 lowercase hex digits. Random bytes are drawn for many at once: one call each is what would cost.
 */
const POOL_BYTES = 8_192
const ID_DIGITS = 32

const bytes = Buffer.allocUnsafe(POOL_BYTES)
let digits = ''
let offset = 0

export function newRequestId(): string {
  if (offset === digits.length) {
    digits = randomFillSync(bytes).toString('hex')
    offset = 0
  }
  offset += ID_DIGITS
  return digits.slice(offset - ID_DIGITS, offset)
}
