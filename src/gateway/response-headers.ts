import type { OutgoingHttpHeader, OutgoingHttpHeaders } from 'node:http'
import type { Exchange } from './exchange.ts'
import { keyOf } from './http1/field-name.ts'

export type HeadersGiven = OutgoingHttpHeaders | OutgoingHttpHeader[]

/**
 * Names and values in turn: what the upstream gave, then the gateway's, which replace those of the same name. `Via` is
 * appended to, and an upstream's `Server` stays. What `Connection` names is for the hop from the upstream alone, also
 * where there is none: a service in this process is answered for as one elsewhere.
 */
export function mergedHeaders(given: HeadersGiven | undefined, exchange: Exchange): OutgoingHttpHeader[] {
  const pairs = given === undefined ? [] : pairsOf(given)
  const { names, headers } = exchange.reply
  const merged: OutgoingHttpHeader[] = []
  let via = exchange.identity.via
  let server: OutgoingHttpHeader = exchange.identity.server
  const hops = exchange.exited ? undefined : hopsIn(pairs)
  for (let index = 0; index < pairs.length; index += 2) {
    const name = String(pairs[index])
    const value = pairs[index + 1]
    // What is no name, Node refuses later.
    const key = keyOf(name)
    if (value === undefined || names.includes(key) || hops?.has(key)) continue
    if (key === 'via') via = `${String(value)}, ${via}`
    else if (key === 'server') server = value
    else merged.push(name, value)
  }
  for (const part of headers) merged.push(part)
  if (!exchange.exited) merged.push('Via', via)
  merged.push('Server', server)
  return merged
}

/** Options of a connection rather than names of headers. */
const CONNECTION_OPTION = /^(?:keep-alive|close|upgrade)$/

function hopsIn(pairs: readonly OutgoingHttpHeader[]): ReadonlySet<string> | undefined {
  for (let index = 0; index < pairs.length; index += 2) {
    if (keyOf(String(pairs[index])) !== 'connection') continue
    const words = String(pairs[index + 1])
      .toLowerCase()
      .split(',')
    return new Set(words.map((word) => word.trim()).filter((word) => !CONNECTION_OPTION.test(word)))
  }
  return undefined
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
