import { consoleError } from './errors.ts'

/** A parameter that is a whole number from 0 to `max`; undefined when it is absent. Throws CONSOLE_QUERY_INVALID. */
export function wholeNumber(name: string, text: string | null, max = Number.MAX_SAFE_INTEGER): number | undefined {
  if (text === null) return undefined
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (value <= max) return value
  throw consoleError('CONSOLE_QUERY_INVALID', `${name} is "${text}": give a whole number from 0 to ${max}`)
}
