import { constants, createHmac, type KeyObject, timingSafeEqual, verify } from 'node:crypto'
import { isJwtAlgorithm, isKeyFor, JWT_ALGORITHMS, type JwtAlgorithm } from '../config/jwt-algorithms.ts'
import { isRecord } from '../config/values.ts'
import type { TimeClaim } from './jwt-schema.ts'

/** A JSON Web Token, read but not believed yet. Source: RFC 7519, RFC 7515. */
export type Token = {
  readonly algorithm: JwtAlgorithm
  /** Names a key of a published set. */
  readonly keyId: string | undefined
  readonly header: Claims
  readonly claims: Claims
  readonly signed: string
  readonly signature: Buffer
}

export type Claims = Readonly<Record<string, unknown>>

/** The token in a text, or in Kong's words why it is none. */
export function parseToken(text: string): Token | string {
  const [headerText, claimsText, signatureText, ...rest] = text.split('.')
  const header = jsonIn(headerText)
  const claims = jsonIn(claimsText)
  if (header === undefined || claims === undefined || signatureText === undefined || rest.length > 0) {
    return 'invalid JSON'
  }
  const algorithm = claimIn(header, 'alg')
  if (!isJwtAlgorithm(algorithm)) return 'invalid alg'
  // An extension that the token says must be understood, and is not.
  if (claimIn(header, 'crit') !== undefined) return 'invalid crit'
  const keyId = claimIn(header, 'kid')
  return {
    algorithm,
    keyId: typeof keyId === 'string' ? keyId : undefined,
    header,
    claims,
    signed: `${headerText}.${claimsText}`,
    signature: Buffer.from(signatureText, 'base64url'),
  }
}

/** A claim of the token itself: what every object inherits is none. */
export function claimIn(claims: Claims, name: string): unknown {
  return Object.hasOwn(claims, name) ? claims[name] : undefined
}

/** Whether the token is signed with this key, by the algorithm that it names. */
export function isSignedWith({ algorithm, signed, signature }: Token, key: KeyObject): boolean {
  if (!isKeyFor(algorithm, key)) return false
  const data = Buffer.from(signed)
  const method = JWT_ALGORITHMS[algorithm]
  switch (method.family) {
    case 'HS':
      return isEqual(createHmac(method.hash, key).update(data).digest(), signature)
    case 'RS':
      return verify(method.hash, data, key, signature)
    case 'PS':
      return verify(method.hash, data, { key, ...PSS }, signature)
    case 'ES':
      return verify(method.hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature)
    case 'EdDSA':
      return verify(null, data, key, signature)
  }
}

const PSS = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }

/** What is wrong with the times of a token, by claim; undefined when nothing is. `nowS` and `skewS` are seconds. */
export function timeErrors(
  claims: Claims,
  names: readonly TimeClaim[],
  { nowS, skewS = 0 }: { readonly nowS: number; readonly skewS?: number },
): Readonly<Record<string, string>> | undefined {
  const errors = names.toSorted().flatMap((name): [string, string][] => {
    const value = claimIn(claims, name)
    if (typeof value !== 'number') return [[name, 'must be a number']]
    if (name === 'exp') return value <= nowS - skewS ? [[name, 'token expired']] : []
    return value > nowS + skewS ? [[name, 'token not valid yet']] : []
  })
  return errors.length === 0 ? undefined : Object.fromEntries(errors)
}

/** A token that is valid for longer than is allowed was made by mistake, or by somebody else. Times are seconds. */
export function expirationError(claims: Claims, maximumS: number, nowS: number) {
  if (maximumS === 0) return undefined
  const expiresAtS = claimIn(claims, 'exp')
  if (typeof expiresAtS === 'number' && expiresAtS - nowS <= maximumS) return undefined
  return { exp: 'exceeds maximum allowed expiration' }
}

function isEqual(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right)
}

function jsonIn(part: string | undefined): Claims | undefined {
  if (part === undefined) return undefined
  try {
    const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString())
    return isRecord(value) ? value : undefined
  } catch {
    return undefined // The text of a client: whatever is wrong with it, it is no token.
  }
}
