import { createPublicKey, type KeyObject } from 'node:crypto'

/** The algorithms by which tokens may be signed, and which keys each of them takes. Source: RFC 7518, 3.1; RFC 8037. */
type Algorithm =
  | { readonly family: 'HS'; readonly hash: string }
  | { readonly family: 'RS' | 'PS'; readonly hash: string }
  | { readonly family: 'ES'; readonly hash: string; readonly curve: string }
  | { readonly family: 'EdDSA' }

export const JWT_ALGORITHMS = {
  HS256: { family: 'HS', hash: 'sha256' },
  HS384: { family: 'HS', hash: 'sha384' },
  HS512: { family: 'HS', hash: 'sha512' },
  RS256: { family: 'RS', hash: 'sha256' },
  RS384: { family: 'RS', hash: 'sha384' },
  RS512: { family: 'RS', hash: 'sha512' },
  ES256: { family: 'ES', hash: 'sha256', curve: 'prime256v1' },
  ES384: { family: 'ES', hash: 'sha384', curve: 'secp384r1' },
  ES512: { family: 'ES', hash: 'sha512', curve: 'secp521r1' },
  PS256: { family: 'PS', hash: 'sha256' },
  PS384: { family: 'PS', hash: 'sha384' },
  PS512: { family: 'PS', hash: 'sha512' },
  EdDSA: { family: 'EdDSA' },
} as const satisfies Readonly<Record<string, Algorithm>>

export type JwtAlgorithm = keyof typeof JWT_ALGORITHMS

export const isJwtAlgorithm = (value: unknown): value is JwtAlgorithm =>
  typeof value === 'string' && Object.hasOwn(JWT_ALGORITHMS, value)

/** Those whose keys can be published, since they only verify. */
export const ASYMMETRIC_ALGORITHMS = (Object.keys(JWT_ALGORITHMS) as JwtAlgorithm[]).filter(
  (name) => JWT_ALGORITHMS[name].family !== 'HS',
)

/** Whether the key is of the kind that the algorithm takes: never let the token choose what a key is used for. */
export function isKeyFor(name: JwtAlgorithm, key: KeyObject): boolean {
  const algorithm: Algorithm = JWT_ALGORITHMS[name]
  const type = key.asymmetricKeyType
  switch (algorithm.family) {
    case 'HS':
      return key.type === 'secret'
    case 'RS':
      return type === 'rsa'
    case 'PS':
      return type === 'rsa' || type === 'rsa-pss'
    case 'ES':
      return type === 'ec' && key.asymmetricKeyDetails?.namedCurve === algorithm.curve
    case 'EdDSA':
      return type === 'ed25519' || type === 'ed448'
  }
}

/** The public key in a PEM text, undefined when there is none. */
export function publicKeyIn(pem: string): KeyObject | undefined {
  try {
    return createPublicKey(pem)
  } catch {
    return undefined // Every failure means the same: this is no key.
  }
}
