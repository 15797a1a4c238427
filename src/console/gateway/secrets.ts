import { isRecord } from '../values.ts'

/**
 * What stands in place of a secret in a plugin's configuration. Browsers never get secrets, and what they send back
 * with this in it is refused, so that it cannot take the secret's place.
 */
export const MASK = '••••••••'

/** Names of fields, and of headers, whose text is a secret. */
const SECRET_NAME = /password|passwd|secret|token|authorization|cookie|api[-_]?key|private|^key$/i

/** Of lists that hold names themselves, such as those of cookies to look into. */
const LIST_OF_NAMES = /names$/i

/** `name:value`, as the transformers hold headers and parameters. */
const PAIR = /^([\w-]+)(\s*:\s*)(?=\S)/

/** The configuration with every secret masked. */
export function masked(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return value === '' ? value : maskedText(value, name)
  if (Array.isArray(value)) return value.map((item) => masked(item, LIST_OF_NAMES.test(name) ? '' : name))
  if (!isRecord(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, masked(inner, key)]))
}

function maskedText(text: string, name: string): string {
  if (SECRET_NAME.test(name)) return MASK
  const pair = PAIR.exec(text)
  if (pair !== null && SECRET_NAME.test(pair[1] ?? '')) return `${pair[0]}${MASK}`
  // A user and password in a URL, such as that of http-log.
  return text.replace(/^(\w+:\/\/)[^/@\s]+@/, `$1${MASK}@`)
}

/** Messages for fields that hold a mask instead of a value, in the Admin API's shape; undefined without one. */
export function maskErrors(value: unknown): unknown {
  if (typeof value === 'string') return value.includes(MASK) ? 'type the secret again: it is not shown here' : undefined
  if (Array.isArray(value)) {
    const errors = value.map((item) => maskErrors(item) ?? null)
    return errors.some((error) => error !== null) ? errors : undefined
  }
  if (!isRecord(value)) return undefined
  const errors = Object.entries(value).flatMap(([key, inner]) => {
    const error = maskErrors(inner)
    return error === undefined ? [] : [[key, error] as const]
  })
  return errors.length === 0 ? undefined : Object.fromEntries(errors)
}
