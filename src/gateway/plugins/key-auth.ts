import { headerName as headerNameField } from '../config/field-types.ts'
import { httpProtocols, noConsumer, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { queryValues, withoutQueryName } from '../query.ts'
import { anonymousField, authenticationPhase, flag, realmField, type Verdict } from './authentication.ts'
import { type KeyedBody, mayHaveKeys, readKeyedBody } from './key-in-body.ts'
import type { PluginDefinition } from './plugin.ts'

/** Lets in who shows a key, in a header, in the query or in the body. Source: Kong 3.9, `kong/plugins/key-auth`. */
type Config = {
  readonly key_names: readonly string[]
  readonly key_in_header: boolean
  readonly key_in_query: boolean
  readonly key_in_body: boolean
  readonly hide_credentials: boolean
  readonly anonymous: string | null
  readonly run_on_preflight: boolean
  readonly realm: string | null
}

const schema: PluginSchema = {
  name: 'key-auth',
  fields: [
    { consumer: noConsumer },
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          {
            key_names: {
              type: 'array',
              required: true,
              elements: headerNameField,
              default: ['apikey'],
              description: 'Names under which the plugin looks for a key.',
            },
          },
          { hide_credentials: flag(false, 'Whether to take the key away before the request goes to the upstream.') },
          { anonymous: anonymousField },
          { key_in_header: flag(true, 'Whether to look in the headers.') },
          { key_in_query: flag(true, 'Whether to look in the query string.') },
          { key_in_body: flag(false, 'Whether to look in the body, if it is JSON or a form.') },
          { run_on_preflight: flag(true, 'Whether OPTIONS requests need a key too.') },
          { realm: realmField() },
        ],
      },
    },
  ],
}

export const keyAuth: PluginDefinition = {
  name: 'key-auth',
  version: '3.9.1',
  priority: 1250,
  schema,
  create(raw, scope) {
    const config = raw as Config
    const names = config.key_names.map((name) => ({ query: name, header: name.toLowerCase() }))
    const challenge = ['WWW-Authenticate', config.realm ? `Key realm="${config.realm}"` : 'Key']
    const refusing = (message: string): Verdict => {
      return (exchange) => exchange.exit(401, message, challenge)
    }
    const noKey = refusing('No API key found in request')
    const unknown = refusing('Unauthorized')
    const duplicate = refusing('Duplicate API key found')
    const judge = (exchange: Exchange, found: FoundKey): Verdict => {
      if (found === undefined) return noKey
      if (found === DUPLICATE) return duplicate
      const identities = scope.identities()
      const credential = identities.keyAuth(found)
      const consumer = credential && identities.consumer(credential.consumer.id)
      if (consumer === undefined) return unknown
      exchange.authenticate(consumer, credential)
      return undefined
    }
    const judgeBody = async (exchange: Exchange, found: FoundKey): Promise<Verdict> => {
      const body = await readKeyedBody(exchange)
      // No verdict, which an anonymous consumer would make up for: there is no body to go on with.
      if (body === undefined) return exchange.exit(413, 'Request body is too large to be searched for a key')
      if (config.hide_credentials) hideInBody(exchange, config, body)
      return judge(exchange, found ?? keyInBody(config, body))
    }
    return {
      access: authenticationPhase({
        plugin: 'key-auth',
        scope,
        anonymous: config.anonymous,
        runOnPreflight: config.run_on_preflight,
        authenticate: config.key_in_body
          ? (exchange) => {
              const found = findKey(exchange, config, names)
              return mustReadBody(exchange, config, found) ? judgeBody(exchange, found) : judge(exchange, found)
            }
          : (exchange) => judge(exchange, findKey(exchange, config, names)),
      }),
    }
  },
}

const DUPLICATE = Symbol('more than one key')

type KeyName = { readonly query: string; readonly header: string }

type FoundKey = string | typeof DUPLICATE | undefined

/** The first name that carries a key decides. */
function findKey(exchange: Exchange, config: Config, names: readonly KeyName[]): FoundKey {
  for (const name of names) {
    const key = (config.key_in_header ? headerKey(exchange, name) : undefined) ?? queryKey(exchange, config, name)
    if (key === DUPLICATE) return DUPLICATE
    if (key === undefined) continue
    if (config.hide_credentials) hide(exchange, name)
    return key === '' ? undefined : key
  }
  return undefined
}

/** A key in the body counts when there is no other, and is hidden in any case. */
function mustReadBody(exchange: Exchange, { hide_credentials }: Config, found: FoundKey): boolean {
  return (found === undefined || (found !== DUPLICATE && hide_credentials)) && mayHaveKeys(exchange)
}

function keyInBody({ key_names }: Config, body: KeyedBody): FoundKey {
  for (const name of key_names) {
    const keys = body.keys(name)
    if (keys.length > 1) return DUPLICATE
    if (keys.length === 1) return keys[0] === '' ? undefined : keys[0]
  }
  return undefined
}

function hideInBody(exchange: Exchange, { key_names }: Config, body: KeyedBody): void {
  const changed = body.without(key_names)
  if (changed !== undefined) exchange.replaceBody(Buffer.from(changed))
}

function headerKey({ request, headers }: Exchange, { header }: KeyName): FoundKey {
  const value = headers[header]
  if (value === undefined) return undefined
  if (typeof value !== 'string') return DUPLICATE
  // Node joins repeated headers with a comma, which a single key may contain as well.
  if (value.includes(',') && (request.headersDistinct[header]?.length ?? 0) > 1) return DUPLICATE
  return value
}

function queryKey(exchange: Exchange, config: Config, name: KeyName): FoundKey {
  if (!config.key_in_query || exchange.query === '') return undefined
  const values = queryValues(exchange.query, name.query)
  return values.length > 1 ? DUPLICATE : values[0]
}

function hide(exchange: Exchange, name: KeyName): void {
  delete exchange.headers[name.header]
  exchange.query = withoutQueryName(exchange.query, name.query)
}
