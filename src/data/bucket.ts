import { createHash } from 'node:crypto'
import { BUCKET_COUNT, type Key } from '../core/index.ts'
import { dataError } from './errors.ts'

/**
 * The bucket of a key, 0..5039, the same as `groundswell.bucket_of` says in SQL: an integer modulo 5040; of text, the
 * first four bytes of its MD5 (UTF-8) as an unsigned big-endian number modulo 5040. Throws DATA_KEY_INVALID for other
 * numbers.
 */
export function bucketOf(key: Key): number {
  if (typeof key === 'string') return createHash('md5').update(key, 'utf8').digest().readUInt32BE(0) % BUCKET_COUNT
  if (Number.isSafeInteger(key) && key >= 0) return key % BUCKET_COUNT
  throw dataError('DATA_KEY_INVALID', `key ${key} is not an integer from 0 to 2^53 - 1: use such a number, or text`)
}

/** The directory of a fresh cluster: `bucket mod shards`, which for a divisor of 5040 is `id mod shards`. */
export function bucketDirectoryStriped(shards: number): readonly number[] {
  return Array.from({ length: BUCKET_COUNT }, (_, bucket) => bucket % shards)
}
