import { PREPARED_TEXTS_MAX } from './limits.ts'

/**
 * Arrays in the binary form of the wire protocol:
 *
 *     int32 dimensions (0 or 1) · int32 has nulls · int32 element's type · int32 length · int32 lower bound ·
 *     per element: int32 bytes (-1 for null) · value
 *
 * Source: PostgreSQL 18, array_recv in src/backend/utils/adt/arrayfuncs.c.
 */
export type BinaryType = {
  readonly oid: number
  /** Bytes of a value, for types whose values all have the same length. */
  readonly bytes?: number
  /** Writes the value and returns its bytes; undefined when it is none of this type. */
  readonly write: (into: Buffer, value: unknown, offset: number) => number | undefined
}

const HEADER_BYTES = 20
const EMPTY_HEADER_BYTES = 12

/** Undefined when an element is neither null nor of the type. */
export function binaryArray(values: readonly unknown[], type: BinaryType): Buffer | undefined {
  const isEmpty = values.length === 0
  const array = Buffer.allocUnsafe(isEmpty ? EMPTY_HEADER_BYTES : HEADER_BYTES + bytesOf(values, type))
  array.writeInt32BE(isEmpty ? 0 : 1, 0)
  array.writeInt32BE(values.some(isNull) ? 1 : 0, 4)
  array.writeInt32BE(type.oid, 8)
  if (isEmpty) return array
  array.writeInt32BE(values.length, 12)
  array.writeInt32BE(1, 16)
  const end = writeElements(array, values, type)
  return end === undefined ? undefined : array.subarray(0, end)
}

/** Enough for all elements. */
function bytesOf(values: readonly unknown[], { bytes }: BinaryType): number {
  if (bytes !== undefined) return values.length * (4 + bytes)
  return values.reduce<number>((sum, value) => sum + 4 + (typeof value === 'string' ? Buffer.byteLength(value) : 0), 0)
}

/** Where the last one ends. */
function writeElements(array: Buffer, values: readonly unknown[], type: BinaryType): number | undefined {
  let offset = HEADER_BYTES
  for (const value of values) {
    const bytes = isNull(value) ? -1 : type.write(array, value, offset + 4)
    if (bytes === undefined) return undefined
    array.writeInt32BE(bytes, offset)
    offset += 4 + Math.max(0, bytes)
  }
  return offset
}

function isNull(value: unknown): value is null | undefined {
  return value === null || value === undefined
}

const text: BinaryType = {
  oid: 25,
  write: (into, value, offset) =>
    typeof value === 'string' && value.isWellFormed() ? into.write(value, offset) : undefined,
}

const smallint: BinaryType = {
  oid: 21,
  bytes: 2,
  write(into, value, offset) {
    if (!isIntegerWithin(value, 2 ** 15)) return undefined
    into.writeInt16BE(value, offset)
    return 2
  },
}

const integer: BinaryType = {
  oid: 23,
  bytes: 4,
  write(into, value, offset) {
    if (!isIntegerWithin(value, 2 ** 31)) return undefined
    into.writeInt32BE(value, offset)
    return 4
  },
}

const bigint: BinaryType = {
  oid: 20,
  bytes: 8,
  write(into, value, offset) {
    if (!isIntegerWithin(value, 2 ** 53)) return undefined
    // Two halves of 32 bits: a BigInt would be an allocation each.
    into.writeInt32BE(Math.floor(value / 2 ** 32), offset)
    into.writeInt32BE(value | 0, offset + 4)
    return 8
  },
}

const uuid: BinaryType = {
  oid: 2950,
  bytes: 16,
  write(into, value, offset) {
    if (typeof value !== 'string' || value.length !== 36) return undefined
    let at = offset
    for (let index = 0; index < 36; ) {
      if (index === 8 || index === 13 || index === 18 || index === 23) {
        if (value.charCodeAt(index) !== DASH) return undefined
        index += 1
      }
      const byte = ((NIBBLES[value.charCodeAt(index)] ?? 0x100) << 4) | (NIBBLES[value.charCodeAt(index + 1)] ?? 0x100)
      if (byte > 0xff) return undefined
      into[at] = byte
      at += 1
      index += 2
    }
    return 16
  },
}

const DASH = 0x2d

/** Values of hexadecimal digits by their character code; what is no digit makes a byte larger than 0xff. */
const NIBBLES = Uint16Array.from({ length: 0x80 }, (_, code) => {
  const digit = Number.parseInt(String.fromCharCode(code), 16)
  return Number.isNaN(digit) ? 0x100 : digit
})

function isIntegerWithin(value: unknown, bound: number): value is number {
  return Number.isInteger(value) && (value as number) >= -bound && (value as number) < bound
}

const TYPES: Readonly<Record<string, BinaryType>> = {
  text,
  smallint,
  int2: smallint,
  int: integer,
  integer,
  int4: integer,
  bigint,
  int8: bigint,
  uuid,
}

const QUOTED_OR_COMMENT = /'(?:[^']|'')*'|"[^"]*"|--[^\n]*|\/\*[\s\S]*?\*\//g
const CAST = /\$(\d+)\s*::\s*([a-z0-9]+)\s*\[\]/gi

const typesByText = new Map<string, readonly (BinaryType | undefined)[]>()

/** The types of a statement's array parameters, from its casts: `$2::uuid[]` gives the second. */
export function binaryTypes(text: string): readonly (BinaryType | undefined)[] {
  const known = typesByText.get(text)
  if (known !== undefined) return known
  const types: (BinaryType | undefined)[] = []
  for (const [, number, name = ''] of text.replace(QUOTED_OR_COMMENT, '').matchAll(CAST)) {
    types[Number(number) - 1] = TYPES[name.toLowerCase()]
  }
  if (typesByText.size < PREPARED_TEXTS_MAX) typesByText.set(text, types)
  return types
}
