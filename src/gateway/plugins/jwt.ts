import { createSecretKey, type KeyObject } from 'node:crypto'
import type { JwtSecretEntity } from '../config/entities.ts'
import { publicKeyIn } from '../config/jwt-algorithms.ts'
import type { Exchange } from '../exchange.ts'
import { queryValues } from '../query.ts'
import { authenticationPhase } from './authentication.ts'
import { createIssuer } from './jwt-issuer.ts'
import { type Judge, type JudgeOptions, refusalsOf } from './jwt-refusals.ts'
import { type JwtConfig, jwtSchema } from './jwt-schema.ts'
import { claimIn, expirationError, isSignedWith, parseToken, type Token, timeErrors } from './jwt-token.ts'
import type { PluginDefinition } from './plugin.ts'

/**
 * Lets in who shows a signed token, in the query, a cookie or a header. Its key is a consumer's (`jwt_secrets`), or
 * one that the token's issuer publishes. Source: Kong 3.9, `kong/plugins/jwt`.
 */
export const jwt: PluginDefinition = {
  name: 'jwt',
  version: '3.9.1',
  priority: 1450,
  schema: jwtSchema,
  create(raw, scope) {
    const config = raw as JwtConfig
    const refusals = refusalsOf(config)
    const judge = createJudge(config, { scope, refusals })
    return {
      access: authenticationPhase({
        plugin: 'jwt',
        scope,
        anonymous: config.anonymous,
        runOnPreflight: config.run_on_preflight,
        authenticate(exchange) {
          const [text, ...others] = findTokens(exchange, config)
          if (text === undefined) return refusals.noToken
          if (others.length > 0) return refusals.because('Multiple tokens provided')
          const token = parseToken(text)
          return typeof token === 'string' ? refusals.because(`Bad token; ${token}`) : judge(exchange, token)
        },
      }),
    }
  },
}

/** Every token that the request carries, each once. */
function findTokens(exchange: Exchange, config: JwtConfig): readonly string[] {
  const { headers, query } = exchange
  const found = [
    ...config.uri_param_names.flatMap((name) => (query === '' ? [] : queryValues(query, name))),
    ...config.cookie_names.map((name) => cookieIn(headers.cookie, name)),
    ...config.header_names.map((name) => bearerIn(headers[name.toLowerCase()])),
  ]
  return [...new Set(found)].filter((token) => token !== undefined && token !== '') as string[]
}

function cookieIn(header: string | undefined, name: string): string | undefined {
  if (header === undefined) return undefined
  const pair = header.split(';').find((part) => part.trimStart().startsWith(`${name}=`))
  return pair?.slice(pair.indexOf('=') + 1).trim()
}

function bearerIn(header: string | readonly string[] | undefined): string | undefined {
  const value = typeof header === 'string' ? header : header?.[0]
  return value === undefined ? undefined : /^\s*bearer\s+(.+)$/i.exec(value)?.[1]
}

/** A key of a consumer decides; tokens that name none are the issuer's, when there is one. */
function createJudge(config: JwtConfig, { scope, refusals }: JudgeOptions): Judge {
  const { key_claim_name: name } = config
  const keys = new WeakMap<JwtSecretEntity, KeyObject>()
  const issuer = config.jwks === null ? undefined : createIssuer(config.jwks, { config, scope, refusals })
  return (exchange, token) => {
    const key = claimIn(token.claims, name) ?? claimIn(token.header, name)
    const secret = typeof key === 'string' ? scope.identities().jwtSecret(key) : undefined
    if (secret === undefined && issuer !== undefined) return issuer(exchange, token)
    if (key === undefined || key === null || key === false) {
      return refusals.because(`No mandatory '${name}' in claims`)
    }
    if (key === '') return refusals.because(`Invalid '${name}' in claims`)
    if (secret === undefined) return refusals.because(`No credentials found for given '${name}'`)
    if (token.algorithm !== secret.algorithm) return refusals.because('Invalid algorithm')
    const verifier = keys.get(secret) ?? keyOf(secret, config)
    if (verifier === undefined) return refusals.because('Invalid key/secret')
    keys.set(secret, verifier)
    if (!isSignedWith(token, verifier)) return refusals.because('Invalid signature')
    const errors = claimErrors(token, config, scope.clock.now())
    if (errors !== undefined) return refusals.becauseOf(errors)
    const consumer = scope.identities().consumer(secret.consumer.id)
    if (consumer === undefined) return refusals.because(`Could not find consumer for '${name}=${key}'`)
    exchange.authenticate(consumer, { id: secret.id, identifier: secret.key })
    return undefined
  }
}

function keyOf(secret: JwtSecretEntity, { secret_is_base64 }: JwtConfig): KeyObject | undefined {
  const isShared = secret.algorithm.startsWith('HS')
  const text = isShared ? secret.secret : secret.rsa_public_key
  if (text === null) return undefined
  const bytes = Buffer.from(text, secret_is_base64 ? 'base64' : 'utf8')
  if (!isShared) return publicKeyIn(bytes.toString())
  return bytes.length === 0 ? undefined : createSecretKey(bytes)
}

function claimErrors({ claims }: Token, config: JwtConfig, nowMs: number) {
  const nowS = Math.floor(nowMs / 1000)
  const errors = timeErrors(claims, config.claims_to_verify ?? [], { nowS })
  return errors ?? expirationError(claims, config.maximum_expiration, nowS)
}
