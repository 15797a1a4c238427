import { type BinaryType, binaryArray, binaryTypes } from './binary-array.ts'
import { dataError } from './errors.ts'

/**
 * Array parameters. Batches pass ten thousands of elements a second, and reading them as text cost the server more than
 * joining them with a table. Arrays whose statement says their type, as in `$1::uuid[]`, go in binary form; others as
 * text, where the driver's own encoding would quote and escape each element though most need neither.
 * Source: PostgreSQL 18, "Arrays", array input and output syntax.
 */

/**
 * Values that the driver need not encode: arrays in binary form or as `{1,2,NULL}`; what is no flat array as it is.
 * Throws DATA_TEXT_INVALID for what UTF-8 cannot hold: encoding it would put another character in its place, unasked.
 */
export function encodeParameters(text: string, values: readonly unknown[]): unknown[] {
  const types = binaryTypes(text)
  return values.map((value, index) => encodeParameter(value, types[index]))
}

function encodeParameter(value: unknown, type: BinaryType | undefined): unknown {
  if (!Array.isArray(value)) return typeof value === 'string' ? wellFormed(value) : value
  // What does not fit the type is sent as text: the server then says what is wrong with it.
  return (type === undefined ? undefined : binaryArray(value, type)) ?? arrayLiteral(value) ?? value
}

function arrayLiteral(values: readonly unknown[]): string | undefined {
  let text = '{'
  for (let index = 0; index < values.length; index++) {
    const element = elementLiteral(values[index])
    if (element === undefined) return undefined
    text += index === 0 ? element : `,${element}`
  }
  return `${text}}`
}

/** What must be quoted: white space, the array's own signs, the empty text, and the word that means null. */
const NEEDS_QUOTES = /[\s"\\{},]|^$|^null$/i

function elementLiteral(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return NEEDS_QUOTES.test(wellFormed(value)) ? `"${value.replace(/["\\]/g, '\\$&')}"` : value
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value)
    default:
      return value === null || value === undefined ? 'NULL' : undefined
  }
}

function wellFormed(text: string): string {
  if (text.isWellFormed()) return text
  const start = text.toWellFormed().slice(0, 40)
  throw dataError('DATA_TEXT_INVALID', `half of a surrogate pair, which UTF-8 cannot hold, is in "${start}"`)
}
