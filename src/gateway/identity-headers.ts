import type { IncomingHttpHeaders } from 'node:http'

/** Headers by which the gateway says who calls: nobody else may. */
const IDENTITY_HEADERS = [
  'x-consumer-id',
  'x-consumer-custom-id',
  'x-consumer-username',
  'x-credential-identifier',
  'x-anonymous-consumer',
  'x-consumer-groups',
  'x-authenticated-groups',
] as const

/**
 * A text as the value of a header: UTF-8 byte for byte, as Kong sends it, and escaped where it has control characters,
 * which would end the header.
 */
export function headerText(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text
  return /\p{Cc}/u.test(text) ? encodeURIComponent(text) : Buffer.from(text).toString('latin1')
}

export function removeIdentity(headers: IncomingHttpHeaders): void {
  for (const name of IDENTITY_HEADERS) if (headers[name] !== undefined) delete headers[name]
}
