import { type BinaryType, binaryArray, binaryTypes } from './binary-array.ts'

/**
 * Array parameters. Batches pass ten thousands of elements a second, and reading them as text cost the server more than
 * joining them with a table. Arrays whose statement says their type, as in `$1::uuid[]`, go in binary form; others as
 * text, where the driver's own encoding would quote and escape each element though most need neither.
 * Source: PostgreSQL 18, "Arrays", array input and output syntax.
 */

/** Values that the driver need not encode: arrays in binary form or as `{1,2,NULL}`; what is no flat array as it is. */
export function encodeParameters(text: string, values: readonly unknown[]): unknown[] {
  const types = binaryTypes(text)
  return values.map((value, index) => encodeParameter(value, types[index]))
}

function encodeParameter(value: unknown, type: BinaryType | undefined): unknown {
  if (!Array.isArray(value)) return value
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
      return NEEDS_QUOTES.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : value
    case 'number':
    case 'boolean':
    case 'bigint':
      return String(value)
    default:
      return value === null || value === undefined ? 'NULL' : undefined
  }
}
