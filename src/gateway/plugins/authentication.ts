import type { Field } from '../config/schema.ts'
import type { Exchange } from '../exchange.ts'
import type { PluginInstance, PluginScope } from './plugin.ts'

/** What plugins that find out who calls have in common. Source: Kong 3.9, `logical_OR_authentication` in each. */
export type AuthenticationOptions = {
  /** For messages. */
  readonly plugin: string
  readonly scope: PluginScope
  /** Id or username of the consumer for whom authentication fails; null refuses them. */
  readonly anonymous: string | null
  readonly runOnPreflight: boolean
  /** Lets the caller in, or answers how to refuse. */
  readonly authenticate: (exchange: Exchange) => Verdict | Promise<Verdict>
}

/** Undefined: the caller is in. */
export type Verdict = ((exchange: Exchange) => undefined) | undefined

export const anonymousField: Field = {
  type: 'string',
  description: 'Id or username of the consumer for requests whose authentication fails.',
}

export const realmField = (initial?: string): Field => ({
  type: 'string',
  description: 'The realm that WWW-Authenticate names.',
  ...(initial === undefined ? {} : { required: true, default: initial }),
})

export const flag = (initial: boolean, description: string): Field => ({
  type: 'boolean',
  required: true,
  default: initial,
  description,
})

/**
 * The access phase of a plugin that authenticates. Several on one route must all be satisfied, and the last one says
 * who calls; those with an anonymous consumer are alternatives: the first that succeeds is enough, and the request
 * is anonymous when none does.
 */
export function authenticationPhase(options: AuthenticationOptions): NonNullable<PluginInstance['access']> {
  const { anonymous, runOnPreflight, authenticate } = options
  return (exchange) => {
    if (!runOnPreflight && exchange.request.method === 'OPTIONS') return undefined
    if (anonymous !== null && exchange.credential !== undefined) return undefined
    const verdict = authenticate(exchange)
    if (verdict instanceof Promise) return verdict.then((late) => settle(exchange, late, options))
    return settle(exchange, verdict, options)
  }
}

function settle(exchange: Exchange, verdict: Verdict, { plugin, scope, anonymous }: AuthenticationOptions): undefined {
  if (verdict === undefined) return undefined
  if (anonymous === null) return verdict(exchange)
  const consumer = scope.identities().consumerNamed(anonymous)
  if (consumer === undefined) throw new Error(`${plugin}: the anonymous consumer "${anonymous}" does not exist`)
  exchange.authenticate(consumer, undefined)
  return undefined
}
