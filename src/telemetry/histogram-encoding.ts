/**
 * A histogram as bytes, for the exchange between processes and for keeping: only buckets that hold something.
 *
 *     empty     = (no bytes)
 *     histogram = sum:float64 min:float64 max:float64 bucket…      little endian
 *     bucket    = gap:varint count:varint                          gap: buckets since the one before, from -1 on
 *     varint    = 7 bits a byte, lowest first, the top bit set on all but the last
 *
 * Latencies of a second fall into few buckets that are close together, so that most take two bytes: 100 requests are
 * some 150 bytes instead of 26 kB.
 */
export type EncodedHistogram = Uint8Array

export type HistogramTotals = { readonly sum: number; readonly min: number; readonly max: number }

const TOTALS_BYTES = 24
/** A count of up to 2⁵³ takes eight groups of seven bits. */
const VARINT_BYTES_MAX = 8

export function writeHistogram(
  counts: Float64Array,
  range: { readonly first: number; readonly last: number },
  totals: HistogramTotals,
): EncodedHistogram {
  const buckets: number[] = []
  let previous = -1
  for (let index = range.first; index <= range.last; index++) {
    const count = counts[index] ?? 0
    if (count === 0) continue
    pushVarint(buckets, index - previous)
    pushVarint(buckets, count)
    previous = index
  }
  const bytes = new Uint8Array(TOTALS_BYTES + buckets.length)
  const view = new DataView(bytes.buffer)
  view.setFloat64(0, totals.sum, true)
  view.setFloat64(8, totals.min, true)
  view.setFloat64(16, totals.max, true)
  bytes.set(buckets, TOTALS_BYTES)
  return bytes
}

/** Hands over every bucket and answers the totals. Throws, before it hands over anything, on bytes of another form. */
export function readHistogram(
  bytes: EncodedHistogram,
  bucketsMax: number,
  onBucket: (index: number, count: number) => void,
): HistogramTotals & { readonly count: number } {
  if (bytes.length === 0) return { count: 0, sum: 0, min: 0, max: 0 }
  if (bytes.length < TOTALS_BYTES) throw new Error(`a histogram of ${bytes.length} bytes is cut off`)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const total = { sum: view.getFloat64(0, true), min: view.getFloat64(8, true), max: view.getFloat64(16, true) }
  if (!(total.sum >= 0 && total.min >= 0 && total.max >= total.min)) throw new Error('the totals are no histogram’s')
  const found: number[] = []
  const cursor = { bytes, offset: TOTALS_BYTES }
  let index = -1
  let count = 0
  while (cursor.offset < bytes.length) {
    index += readVarint(cursor)
    const counted = readVarint(cursor)
    if (index < 0 || index >= bucketsMax) throw new Error(`a histogram has no bucket ${index}`)
    count += counted
    found.push(index, counted)
  }
  for (let at = 0; at < found.length; at += 2) onBucket(found[at] ?? 0, found[at + 1] ?? 0)
  return { count, ...total }
}

/** How many values were recorded, without the rest. */
export function encodedCount(bytes: EncodedHistogram | undefined): number {
  if (bytes === undefined) return 0
  const cursor = { bytes, offset: TOTALS_BYTES }
  let count = 0
  while (cursor.offset < bytes.length) {
    readVarint(cursor)
    count += readVarint(cursor)
  }
  return count
}

function pushVarint(into: number[], value: number): void {
  let rest = value
  // By division: counts may exceed 32 bits, where shifts end.
  while (rest >= 0x80) {
    into.push((rest % 0x80) | 0x80)
    rest = Math.floor(rest / 0x80)
  }
  into.push(rest)
}

function readVarint(cursor: { readonly bytes: Uint8Array; offset: number }): number {
  let value = 0
  let scale = 1
  for (let length = 0; length < VARINT_BYTES_MAX; length++) {
    const byte = cursor.bytes[cursor.offset++]
    if (byte === undefined) throw new Error('a histogram is cut off')
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return value
    scale *= 0x80
  }
  throw new Error('a number of a histogram is too long')
}
