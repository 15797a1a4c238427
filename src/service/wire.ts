import type { IncomingHttpHeaders } from 'node:http'
import { type Context, DEADLINE_HEADER, type Endpoint, remainingMs, TRACEPARENT_HEADER } from '../core/index.ts'

/**
 * A typed call as it travels: what a handler of this process gets and what HTTP carries are made from the same thing.
 */
export type WireCall = {
  readonly endpoint: Endpoint
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  readonly body: unknown
  readonly headers: IncomingHttpHeaders
  readonly context: Context
}

export type WireAnswer = { readonly status: number; readonly body: unknown }

/** The parts of a call, once the contract has checked them. */
export type CallParts = { readonly params?: object; readonly query?: object; readonly body?: unknown }

/** Turns parameters and query into text. Throws when a path parameter is missing: a programmer error. */
export function encodeCall(endpoint: Endpoint, input: CallParts, context: Context): WireCall {
  const headers = { [TRACEPARENT_HEADER]: context.traceparent }
  const params = textOf(input.params)
  for (const [, name] of endpoint.path.matchAll(PARAMETER)) {
    if (!params[name ?? '']) throw new Error(`${endpoint.method} ${endpoint.path}: parameter ${name} is missing`)
  }
  return { endpoint, params, query: textOf(input.query), body: input.body, headers, context }
}

/** Path with its parameters filled in, and the query. */
export function pathOf({ endpoint, params, query }: WireCall): string {
  const path = endpoint.path.replace(PARAMETER, (_, name: string) => encodeURIComponent(params[name] ?? ''))
  const search = new URLSearchParams(query).toString()
  return search === '' ? path : `${path}?${search}`
}

/** Headers of the call by HTTP: the deadline as time left, since clocks of two machines differ. */
export function headersOf({ context, body }: WireCall): Record<string, string> {
  return {
    [TRACEPARENT_HEADER]: context.traceparent,
    [DEADLINE_HEADER]: String(remainingMs(context)),
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
  }
}

const PARAMETER = /:([A-Za-z0-9_]+)/g

function textOf(values: object | undefined): Record<string, string> {
  const defined = Object.entries(values ?? {}).filter(([, value]) => value !== undefined)
  return Object.fromEntries(defined.map(([name, value]) => [name, String(value)]))
}
