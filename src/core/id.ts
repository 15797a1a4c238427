import { randomFillSync } from 'node:crypto'
import { BUCKET_COUNT } from './limits.ts'

/**
 * Identifiers: UUIDv7 (RFC 9562, section 5.7), which sort by time, optionally carrying the bucket of the row's owner so
 * that an id alone finds its shard.
 *
 * Layout of the 128 bits: `unix_ts_ms(48) ver(4)=7 sequence(12) var(2)=10 bucket(13) random(49)`. The sequence makes
 * ids of one process increase within a millisecond; 13 bits hold a bucket because 5040 < 8192. An id without a bucket
 * carries 8191 there.
 */
const NO_BUCKET = 8191
const SEQUENCE_COUNT = 4096
const POOL_BYTES = 7 * 1024

const pool = Buffer.allocUnsafe(POOL_BYTES)
let poolOffset = POOL_BYTES
let lastMs = 0
let sequence = 0

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i

/** A new UUIDv7. `bucket`, if given, is 0..5039 and can be read back with {@link bucketOfId}. */
export function newId(bucket: number = NO_BUCKET, nowMs: number = Date.now()): string {
  if (poolOffset + 7 > POOL_BYTES) {
    randomFillSync(pool)
    poolOffset = 0
  }
  const ms = advance(nowMs)
  const high = Math.floor(ms / 0x1_0000)
  const low = ms & 0xffff
  const random = poolOffset
  poolOffset += 7
  const byte8 = 0x80 | (bucket >>> 7)
  const byte9 = ((bucket & 0x7f) << 1) | ((pool[random + 6] ?? 0) & 1)
  const time = `${hex(high >>> 24)}${hex(high >>> 16)}${hex(high >>> 8)}${hex(high)}-${hex(low >>> 8)}${hex(low)}`
  const tail = `${hex(at(random))}${hex(at(random + 1))}${hex(at(random + 2))}${hex(at(random + 3))}`
  return (
    `${time}-${hex(0x70 | (sequence >>> 8))}${hex(sequence)}-${hex(byte8)}${hex(byte9)}-` +
    `${tail}${hex(at(random + 4))}${hex(at(random + 5))}`
  )
}

/** The bucket an id carries, or undefined when it carries none or is no UUIDv7. */
export function bucketOfId(id: string): number | undefined {
  if (!UUID_V7.test(id)) return undefined
  const bits = Number.parseInt(id.slice(19, 23), 16)
  const bucket = (bits & 0x3fff) >>> 1
  return bucket < BUCKET_COUNT ? bucket : undefined
}

/** When an id was made, Unix epoch milliseconds; undefined for what is no UUIDv7. */
export function timeOfId(id: string): number | undefined {
  return UUID_V7.test(id) ? Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) : undefined
}

/** Keeps ids increasing: the clock never goes back, and a full millisecond borrows from the next. */
function advance(nowMs: number): number {
  if (nowMs > lastMs) {
    lastMs = nowMs
    sequence = 0
  } else if (++sequence === SEQUENCE_COUNT) {
    lastMs += 1
    sequence = 0
  }
  return lastMs
}

function at(offset: number): number {
  return pool[offset] ?? 0
}

function hex(byte: number): string {
  return HEX[byte & 0xff] ?? ''
}
