import pg from 'pg'

const INT8 = 20
const INT8_ARRAY = 1016
const DATE = 1082
const DATE_ARRAY = 1182
const TEXT_ARRAY = 1009

/**
 * How a value of a row is read: `int8` as a number, `date` as text (a Date would be midnight of this machine's zone);
 * the rest as pg does it.
 */
export function typeParser(oid: number, format?: 'text' | 'binary'): (value: string) => unknown {
  if (format === 'binary') return pg.types.getTypeParser(oid, 'binary') as (value: string) => unknown
  if (oid === INT8) return parseInt8
  if (oid === DATE) return (value) => value
  const parseTexts = () => pg.types.getTypeParser(TEXT_ARRAY as number, 'text') as (value: string) => (string | null)[]
  if (oid === DATE_ARRAY) return parseTexts()
  if (oid === INT8_ARRAY) return (value) => parseTexts()(value).map((item) => (item === null ? null : parseInt8(item)))
  return pg.types.getTypeParser(oid, 'text') as (value: string) => unknown
}

function parseInt8(value: string): number {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw new RangeError(`int8 ${value} does not fit a number exactly: select it as text`)
}
