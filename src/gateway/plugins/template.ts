import type { Exchange } from '../exchange.ts'
import { queryValues } from '../query.ts'

/**
 * Values that take something of the request: `$(headers.name)` and `$(query_params.name)`, also as
 * `$(headers["some-name"])`. Kong runs any Lua in there; all else is refused here rather than guessed at.
 */
export type Template = (exchange: Exchange) => string

const PLACEHOLDER = /\$\((.*?)\)/gs
const REFERENCE = /^\s*(headers|query_params)\s*(?:\.\s*([\w-]+)|\[\s*(["'])([^"']+)\3\s*\])\s*$/

/** Why a text is no template, or undefined. */
export function templateError(text: string): string | undefined {
  const [, unknown] = [...text.matchAll(PLACEHOLDER)].find(([, inner = '']) => !REFERENCE.test(inner)) ?? []
  if (unknown === undefined) return undefined
  return `template '$(${unknown})' is not available: only $(headers.name) and $(query_params.name) are`
}

/** What is not there is empty. `safe` makes what came with the request fit for its place. */
export function compileTemplate(text: string, safe: (value: string) => string = (value) => value): Template {
  const parts = text.split(PLACEHOLDER)
  if (parts.length === 1) return () => text
  return (exchange) => parts.map((part, index) => (index % 2 === 0 ? part : safe(referenced(part, exchange)))).join('')
}

function referenced(reference: string, { headers, query }: Exchange): string {
  const [, source, plain, , quoted] = REFERENCE.exec(reference) ?? []
  const name = plain ?? quoted ?? ''
  if (source === 'query_params') return queryValues(query, name)[0] ?? ''
  // Lua has no dashes in names: Kong's headers are also written with underscores.
  const value = headers[name.toLowerCase()] ?? headers[name.toLowerCase().replaceAll('_', '-')]
  return value === undefined ? '' : String(value)
}
