import { headerName as headerNameField } from '../config/field-types.ts'
import { httpProtocols, noConsumer, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { queryValues, withoutQueryName } from '../query.ts'
import { anonymousField, authenticationPhase, flag, realmField, type Verdict } from './authentication.ts'
import type { PluginDefinition } from './plugin.ts'

/** Lets in who shows a key, in a header or in the query. Source: Kong 3.9, `kong/plugins/key-auth`. */
type Config = {
  readonly key_names: readonly string[]
  readonly key_in_header: boolean
  readonly key_in_query: boolean
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
          {
            key_in_body: {
              ...flag(false, 'Whether to look in the body.'),
              custom_validator: (value: boolean) =>
                value ? 'keys in the body are not available yet: leave this false' : undefined,
            },
          },
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
    return {
      access: authenticationPhase({
        plugin: 'key-auth',
        scope,
        anonymous: config.anonymous,
        runOnPreflight: config.run_on_preflight,
        authenticate(exchange) {
          const found = findKey(exchange, config, names)
          if (found === undefined) return noKey
          if (found === DUPLICATE) return duplicate
          const identities = scope.identities()
          const credential = identities.keyAuth(found)
          const consumer = credential && identities.consumer(credential.consumer.id)
          if (consumer === undefined) return unknown
          exchange.authenticate(consumer, credential)
          return undefined
        },
      }),
    }
  },
}

const DUPLICATE = Symbol('more than one key')

type KeyName = { readonly query: string; readonly header: string }

/** The first name that carries a key decides. */
function findKey(exchange: Exchange, config: Config, names: readonly KeyName[]): string | typeof DUPLICATE | undefined {
  for (const name of names) {
    const key = (config.key_in_header ? headerKey(exchange, name) : undefined) ?? queryKey(exchange, config, name)
    if (key === DUPLICATE) return DUPLICATE
    if (key === undefined) continue
    if (config.hide_credentials) hide(exchange, name)
    return key === '' ? undefined : key
  }
  return undefined
}

function headerKey({ request, headers }: Exchange, { header }: KeyName): string | typeof DUPLICATE | undefined {
  const value = headers[header]
  if (value === undefined) return undefined
  if (typeof value !== 'string') return DUPLICATE
  // Node joins repeated headers with a comma, which a single key may contain as well.
  if (value.includes(',') && (request.headersDistinct[header]?.length ?? 0) > 1) return DUPLICATE
  return value
}

function queryKey(exchange: Exchange, config: Config, name: KeyName): string | typeof DUPLICATE | undefined {
  if (!config.key_in_query || exchange.query === '') return undefined
  const values = queryValues(exchange.query, name.query)
  return values.length > 1 ? DUPLICATE : values[0]
}

function hide(exchange: Exchange, name: KeyName): void {
  delete exchange.headers[name.header]
  exchange.query = withoutQueryName(exchange.query, name.query)
}
