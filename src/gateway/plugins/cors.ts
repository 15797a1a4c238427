import { type Field, httpProtocols, noConsumer, type PluginSchema } from '../config/schema.ts'
import { type Exchange, headerName } from '../exchange.ts'
import { flag } from './authentication.ts'
import { type OriginRule, originRule } from './cors-origins.ts'
import type { PluginDefinition } from './plugin.ts'

/** Answers preflights, and says which pages may read answers. Source: Kong 3.9, `kong/plugins/cors`; WHATWG Fetch. */
type Config = {
  readonly origins: readonly string[] | null
  readonly headers: readonly string[] | null
  readonly exposed_headers: readonly string[] | null
  readonly methods: readonly string[] | null
  readonly max_age: number | null
  readonly credentials: boolean
  readonly private_network: boolean
  readonly preflight_continue: boolean
  readonly allow_origin_absent: boolean
}

const METHODS = ['GET', 'HEAD', 'PUT', 'PATCH', 'POST', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT']

const list = (description: string): Field => ({ type: 'array', elements: { type: 'string' }, description })

const schema: PluginSchema = {
  name: 'cors',
  fields: [
    { consumer: noConsumer },
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            origins: {
              type: 'array',
              elements: { type: 'string', custom_validator: originError },
              description: 'Origins, or regular expressions of them; `*` and nothing mean all.',
            },
          },
          { headers: list('Value of Access-Control-Allow-Headers; without, what the client asks for.') },
          { exposed_headers: list('Value of Access-Control-Expose-Headers.') },
          {
            methods: {
              type: 'array',
              default: METHODS,
              elements: { type: 'string', one_of: METHODS },
              description: 'Value of Access-Control-Allow-Methods.',
            },
          },
          { max_age: { type: 'number', description: 'Seconds for which a preflight may be cached.' } },
          { credentials: flag(false, 'Whether pages may send cookies and the like.') },
          { private_network: flag(false, 'Whether pages of public networks may call into this one.') },
          { preflight_continue: flag(false, 'Whether preflights go to the upstream.') },
          { allow_origin_absent: flag(true, 'Whether requests without Origin get the headers too.') },
        ],
      },
    },
  ],
}

export const cors: PluginDefinition = {
  name: 'cors',
  version: '3.9.1',
  priority: 2000,
  schema,
  create(raw) {
    const config = raw as Config
    const rule = originRule(config.origins ?? [])
    return {
      access(exchange) {
        if (config.preflight_continue || !isPreflight(exchange)) return undefined
        allowOrigin(exchange, config, rule)
        allowPreflight(exchange, config)
        return exchange.answer({ status: 200 })
      },
      header(exchange) {
        if (isPreflight(exchange)) return
        if (exchange.headers.origin === undefined && !config.allow_origin_absent) return
        allowOrigin(exchange, config, rule)
        if (isFilled(config.exposed_headers)) exchange.setReplyHeader(EXPOSE, config.exposed_headers.join(','))
      },
    }
  },
}

const ALLOW_ORIGIN = headerName('Access-Control-Allow-Origin')
const ALLOW_CREDENTIALS = headerName('Access-Control-Allow-Credentials')
const ALLOW_HEADERS = headerName('Access-Control-Allow-Headers')
const ALLOW_METHODS = headerName('Access-Control-Allow-Methods')
const ALLOW_NETWORK = headerName('Access-Control-Allow-Private-Network')
const MAX_AGE = headerName('Access-Control-Max-Age')
const EXPOSE = headerName('Access-Control-Expose-Headers')
const VARY = headerName('Vary')

function isPreflight({ request, headers }: Exchange): boolean {
  if (request.method !== 'OPTIONS') return false
  return headers.origin !== undefined && headers['access-control-request-method'] !== undefined
}

/** An answer that depends on the origin says so, for caches; one that nobody may read must not keep the upstream's. */
function allowOrigin(exchange: Exchange, { credentials }: Config, rule: OriginRule): void {
  const { origin } = exchange.headers
  const allowed = rule(origin)
  const echoes = allowed === '*' && credentials && origin !== undefined
  if (allowed !== '*' || echoes) exchange.addReplyHeader(VARY, 'Origin')
  if (allowed === undefined) exchange.removeReplyHeader(ALLOW_ORIGIN)
  else exchange.setReplyHeader(ALLOW_ORIGIN, echoes ? origin : allowed)
  // Browsers take no credentials where every origin is allowed.
  if (credentials && (allowed !== '*' || echoes)) exchange.setReplyHeader(ALLOW_CREDENTIALS, 'true')
}

function allowPreflight(exchange: Exchange, config: Config): void {
  const { headers } = exchange
  const wanted = headers['access-control-request-headers']
  if (isFilled(config.headers)) exchange.setReplyHeader(ALLOW_HEADERS, config.headers.join(','))
  else if (wanted !== undefined) exchange.setReplyHeader(ALLOW_HEADERS, wanted)
  exchange.setReplyHeader(ALLOW_METHODS, (config.methods ?? METHODS).join(','))
  if (config.max_age !== null) exchange.setReplyHeader(MAX_AGE, String(config.max_age))
  if (config.private_network && headers['access-control-request-private-network'] === 'true') {
    exchange.setReplyHeader(ALLOW_NETWORK, 'true')
  }
}

const isFilled = (values: readonly string[] | null): values is readonly string[] => values !== null && values.length > 0

function originError(value: string): string | undefined {
  if (value === '*') return undefined
  try {
    originRule([value, value])
    return undefined
  } catch {
    return `'${value}' is not a valid regex`
  }
}
