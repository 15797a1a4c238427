import type { KeyObject } from 'node:crypto'
import type { Exchange } from '../exchange.ts'
import { JWKS_CLOCK_SKEW_S } from '../limits.ts'
import type { Verdict } from './authentication.ts'
import { PublishedKeys } from './jwks.ts'
import type { Judge, JudgeOptions } from './jwt-refusals.ts'
import type { JwksConfig, JwtConfig, TimeClaim } from './jwt-schema.ts'
import { type Claims, claimIn, expirationError, isSignedWith, type Token, timeErrors } from './jwt-token.ts'
import type { PluginScope } from './plugin.ts'

/**
 * Judges tokens of an issuer that publishes its keys. Source: RFC 7517, OpenID Connect Core 1.0, 3.1.3.7. Unlike a
 * token of a consumer's own key, it must expire: the issuer's signature alone says nothing about today.
 */
export function createIssuer(jwks: JwksConfig, options: JudgeOptions & { readonly config: JwtConfig }): Judge {
  const { scope, refusals, config } = options
  const keys = keysOf(jwks, scope)
  const conclude = (exchange: Exchange, token: Token, found: readonly KeyObject[] | undefined): Verdict => {
    if (found === undefined) return refuseWithoutKeys
    if (found.length === 0) return refusals.because("No credentials found for given 'kid'")
    if (!found.some((key) => isSignedWith(token, key))) return refusals.because('Invalid signature')
    const errors = claimErrors(token.claims, { jwks, config, nowMs: scope.clock.now() })
    if (errors !== undefined) return refusals.becauseOf(errors)
    if (admit(exchange, token.claims, { jwks, scope })) return undefined
    return refusals.because(`Could not find consumer for the claim '${jwks.consumer_claim}'`)
  }
  return (exchange, token) => {
    if (jwks.issuer !== null && claimIn(token.claims, 'iss') !== jwks.issuer) {
      return refusals.because("No credentials found for given 'iss'")
    }
    if (!jwks.algorithms.includes(token.algorithm)) return refusals.because('Invalid algorithm')
    const found = keys.find(token.keyId)
    if (found instanceof Promise) return found.then((late) => conclude(exchange, token, late))
    return conclude(exchange, token, found)
  }
}

/** The keys outlive changes of the configuration, unless it is their source that changed. */
function keysOf({ issuer, uri }: JwksConfig, scope: PluginScope): PublishedKeys {
  const kept = scope.keep(() => ({ keys: new PublishedKeys({ issuer, uri }, scope.clock) }))
  if (!kept.keys.isFrom({ issuer, uri })) kept.keys = new PublishedKeys({ issuer, uri }, scope.clock)
  return kept.keys
}

type Claiming = { readonly jwks: JwksConfig; readonly config: JwtConfig; readonly nowMs: number }

function claimErrors(claims: Claims, { jwks, config, nowMs }: Claiming) {
  const nowS = Math.floor(nowMs / 1000)
  const names = new Set<TimeClaim>(['exp', ...(config.claims_to_verify ?? [])])
  if (claimIn(claims, 'nbf') !== undefined) names.add('nbf')
  const errors = timeErrors(claims, [...names], { nowS, skewS: JWKS_CLOCK_SKEW_S })
  return errors ?? audienceError(claims, jwks) ?? expirationError(claims, config.maximum_expiration, nowS)
}

function audienceError(claims: Claims, { audiences }: JwksConfig) {
  if (audiences === null || audiences.length === 0) return undefined
  const given = claimIn(claims, 'aud')
  const isOneOf = (value: unknown) => typeof value === 'string' && audiences.includes(value)
  return (Array.isArray(given) ? given.some(isOneOf) : isOneOf(given)) ? undefined : { aud: 'is not an accepted one' }
}

type Admission = { readonly jwks: JwksConfig; readonly scope: PluginScope }

/** False when the token names no consumer and has to. */
function admit(exchange: Exchange, claims: Claims, { jwks, scope }: Admission): boolean {
  const claim = claimIn(claims, jwks.consumer_claim)
  const name = typeof claim === 'string' || typeof claim === 'number' ? String(claim) : ''
  const consumer = name === '' ? undefined : scope.identities().consumerBy(jwks.consumer_by, name)
  if (consumer === undefined && (!jwks.consumer_optional || name === '')) return false
  const credential = { id: `${claimIn(claims, 'iss') ?? jwks.uri} ${name}`, identifier: name }
  if (consumer === undefined) exchange.authenticateStranger(credential)
  else exchange.authenticate(consumer, credential)
  if (jwks.groups_claim !== null) exchange.authenticatedGroups = groupsIn(claimIn(claims, jwks.groups_claim))
  return true
}

/** Issuers write groups as a list, and scopes as words in one text. */
function groupsIn(claim: unknown): readonly string[] {
  const values: unknown[] = typeof claim === 'string' ? claim.split(/[\s,]+/) : Array.isArray(claim) ? claim : []
  return values.filter((value) => typeof value === 'string' && value !== '') as string[]
}

/** Whether the token is good cannot be known now, so nobody is let in; the client may try again. */
function refuseWithoutKeys(exchange: Exchange): undefined {
  return exchange.exit(503, 'The keys of the token issuer are not available', ['Retry-After', '5'])
}
