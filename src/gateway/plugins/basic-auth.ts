import { httpProtocols, noConsumer, type PluginSchema } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import { anonymousField, authenticationPhase, flag, realmField, type Verdict } from './authentication.ts'
import { PasswordChecks } from './password-checks.ts'
import type { PluginDefinition, PluginScope } from './plugin.ts'

/** Lets in who knows a username and its password. Source: Kong 3.9, `kong/plugins/basic-auth`; RFC 7617. */
type Config = {
  readonly anonymous: string | null
  readonly hide_credentials: boolean
  readonly realm: string
}

const schema: PluginSchema = {
  name: 'basic-auth',
  fields: [
    { consumer: noConsumer },
    { protocols: httpProtocols },
    {
      config: {
        type: 'record',
        required: true,
        fields: [
          { anonymous: anonymousField },
          { hide_credentials: flag(false, 'Whether to take the password away before the request goes on.') },
          { realm: realmField('service') },
        ],
      },
    },
  ],
}

export const basicAuth: PluginDefinition = {
  name: 'basic-auth',
  version: '3.9.1',
  priority: 1100,
  schema,
  create(raw, scope) {
    const { anonymous, hide_credentials, realm } = raw as Config
    const challenge = ['WWW-Authenticate', `Basic realm="${realm.replace(/["\\]/g, '\\$&')}"`]
    const refuse: Verdict = (exchange) => exchange.exit(401, 'Unauthorized', challenge)
    return {
      access: authenticationPhase({
        plugin: 'basic-auth',
        scope,
        anonymous,
        runOnPreflight: true,
        authenticate(exchange) {
          const login = findLogin(exchange, scope)
          if (hide_credentials) hide(exchange)
          if (login === undefined) return refuse
          const checked = checks.check(login.password, scope.identities().basicAuth(login.username)?.password)
          const conclude = (result: boolean | 'busy'): Verdict => {
            if (result === 'busy') return refuseForNow
            return result && admit(exchange, login.username, scope) ? undefined : refuse
          }
          return checked instanceof Promise ? checked.then(conclude) : conclude(checked)
        },
      }),
    }
  },
}

/** One for all plugins of the process, whose processor they share. */
const checks = new PasswordChecks()

type Login = { readonly username: string; readonly password: string }

const HEADERS = ['proxy-authorization', 'authorization'] as const

/** The login of the header for proxies if its user is known, else of the other. */
function findLogin(exchange: Exchange, scope: PluginScope): Login | undefined {
  let found: Login | undefined
  for (const name of HEADERS) {
    const login = loginIn(exchange.headers[name])
    if (login === undefined) continue
    if (scope.identities().basicAuth(login.username) !== undefined) return login
    found = login
  }
  return found
}

function loginIn(value: string | undefined): Login | undefined {
  const encoded = value === undefined ? undefined : /^\s*basic\s+([\w+/=-]+)\s*$/i.exec(value)?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString()
  const colon = text.indexOf(':')
  return colon <= 0 ? undefined : { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

function hide({ headers }: Exchange): void {
  for (const name of HEADERS) delete headers[name]
}

/** False when the credential has gone while its password was checked. */
function admit(exchange: Exchange, username: string, scope: PluginScope): boolean {
  const identities = scope.identities()
  const credential = identities.basicAuth(username)
  const consumer = credential && identities.consumer(credential.consumer.id)
  if (credential === undefined || consumer === undefined) return false
  exchange.authenticate(consumer, { id: credential.id, identifier: credential.username })
  return true
}

function refuseForNow(exchange: Exchange): undefined {
  return exchange.exit(503, 'Too many passwords are being checked', ['Retry-After', '1'])
}
