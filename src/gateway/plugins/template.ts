import type { Exchange } from '../exchange.ts'
import { queryValues } from '../query.ts'
import { uriCaptureOf } from '../uri-capture.ts'

/**
 * Values that take something of the request: `$(headers.name)` and `$(query_params.name)`, also as
 * `$(headers["some-name"])`, and `$(uri_captures.name)` or `$(uri_captures[1])` of a route's regular expression. Kong
 * runs any Lua in there; all else is refused here rather than guessed at.
 */
export type Template = (exchange: Exchange) => string

const PLACEHOLDER = /\$\((.*?)\)/gs
const REFERENCE = /^\s*(headers|query_params|uri_captures)\s*(?:\.\s*([\w-]+)|\[\s*(["'])([^"']+)\3\s*\])\s*$/
const NUMBERED = /^\s*uri_captures\s*\[\s*(\d+)\s*\]\s*$/

/** Why a text is no template, or undefined. */
export function templateError(text: string): string | undefined {
  const isKnown = (inner: string) => REFERENCE.test(inner) || NUMBERED.test(inner)
  const [, unknown] = [...text.matchAll(PLACEHOLDER)].find(([, inner = '']) => !isKnown(inner)) ?? []
  if (unknown === undefined) return undefined
  const available = '$(headers.name), $(query_params.name) and $(uri_captures.name)'
  return `template '$(${unknown})' is not available: only ${available} are`
}

/** What is not there is empty. `safe` makes what came with the request fit for its place. */
export function compileTemplate(text: string, safe: (value: string) => string = (value) => value): Template {
  const parts = text.split(PLACEHOLDER)
  if (parts.length === 1) return () => text
  return (exchange) => parts.map((part, index) => (index % 2 === 0 ? part : safe(referenced(part, exchange)))).join('')
}

function referenced(reference: string, exchange: Exchange): string {
  const { headers, query } = exchange
  const [, number] = NUMBERED.exec(reference) ?? []
  if (number !== undefined) return captured(exchange, number)
  const [, source, plain, , quoted] = REFERENCE.exec(reference) ?? []
  const name = plain ?? quoted ?? ''
  if (source === 'query_params') return queryValues(query, name)[0] ?? ''
  if (source === 'uri_captures') return captured(exchange, name)
  // Lua has no dashes in names: Kong's headers are also written with underscores.
  const value = headers[name.toLowerCase()] ?? headers[name.toLowerCase().replaceAll('_', '-')]
  return value === undefined ? '' : String(value)
}

/** As text: a path that takes it encodes it again. */
function captured(exchange: Exchange, name: string): string {
  const value = uriCaptureOf(exchange, name) ?? ''
  try {
    return decodeURIComponent(value)
  } catch (error) {
    if (error instanceof URIError) return value
    throw error
  }
}
