import type { OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http'
import type { Exchange } from './exchange.ts'

export type HeadersGiven = OutgoingHttpHeaders | OutgoingHttpHeader[]

/**
 * Names and values in turn: what the upstream gave, then the gateway's, which replace those of the same name. `Via` is
 * appended to, and an upstream's `Server` stays.
 */
export function mergedHeaders(given: HeadersGiven | undefined, exchange: Exchange): OutgoingHttpHeader[] {
  const pairs = given === undefined ? [] : pairsOf(given)
  const { names, headers } = exchange.reply
  const merged: OutgoingHttpHeader[] = []
  let via = exchange.identity.via
  let server: OutgoingHttpHeader = exchange.identity.server
  for (let index = 0; index < pairs.length; index += 2) {
    const name = String(pairs[index])
    const value = pairs[index + 1]
    const key = name.toLowerCase()
    if (value === undefined || names.includes(key)) continue
    if (key === 'via') via = `${String(value)}, ${via}`
    else if (key === 'server') server = value
    else merged.push(name, value)
  }
  for (const part of headers) merged.push(part)
  if (!exchange.exited) merged.push('Via', via)
  merged.push('Server', server)
  return merged
}

export function pairsOf(given: HeadersGiven): OutgoingHttpHeader[] {
  if (Array.isArray(given)) return given
  const pairs: OutgoingHttpHeader[] = []
  for (const name in given) {
    const value = given[name]
    if (value !== undefined) pairs.push(name, value)
  }
  return pairs
}
