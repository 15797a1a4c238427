/**
 * Array parameters in PostgreSQL's text form. Batches pass ten thousands of elements a second, and the driver's own
 * encoding quotes and escapes each; most are numbers, ids and words that need neither.
 * Source: PostgreSQL 18, "Arrays", array input and output syntax.
 */

/**
 * A value that the driver need not encode: `{1,2,NULL}` for an array of numbers, text, booleans or null; others as they
 * are.
 */
export function encodeParameter(value: unknown): unknown {
  if (!Array.isArray(value)) return value
  return arrayLiteral(value) ?? value
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
