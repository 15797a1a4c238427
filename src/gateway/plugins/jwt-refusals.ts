import type { Exchange } from '../exchange.ts'
import type { Verdict } from './authentication.ts'
import type { JwtConfig } from './jwt-schema.ts'
import type { Token } from './jwt-token.ts'
import type { PluginScope } from './plugin.ts'

/** How `jwt` refuses: in Kong's words, without the id of the request. */
export type Refusals = {
  readonly noToken: Verdict
  because(message: string): Verdict
  /** By claim. */
  becauseOf(errors: Readonly<Record<string, string>>): Verdict
}

/** Lets in whoever shows the token, or says how to refuse. */
export type Judge = (exchange: Exchange, token: Token) => Verdict | Promise<Verdict>

export type JudgeOptions = { readonly scope: PluginScope; readonly refusals: Refusals }

export function refusalsOf({ realm }: JwtConfig): Refusals {
  const challenge = realm === null ? 'Bearer' : `Bearer realm="${realm.replace(/["\\]/g, '\\$&')}"`
  const invalid = `${challenge} error="invalid_token"`
  return {
    noToken: refusing({ message: 'Unauthorized' }, challenge),
    because: (message) => refusing({ message }, invalid),
    becauseOf: (errors) => refusing(errors, invalid),
  }
}

function refusing(body: object, challenge: string): Verdict {
  return (exchange) =>
    exchange.answer({ status: 401, body: JSON.stringify(body), headers: ['WWW-Authenticate', challenge] })
}
