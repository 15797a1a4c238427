import { constants, createHmac, type KeyObject, sign } from 'node:crypto'

/** For tests: tokens as issuers make them. */
export type Claims = Readonly<Record<string, unknown>>

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')

function unsigned(claims: Claims, alg: string, header: Claims): string {
  return `${encoded({ typ: 'JWT', alg, ...header })}.${encoded(claims)}`
}

/** Signed with a shared secret. */
export function token(claims: Claims, secret: string | Buffer, algorithm = 'HS256', header: Claims = {}): string {
  const text = unsigned(claims, algorithm, header)
  if (algorithm === 'none') return `${text}.`
  return `${text}.${createHmac(`sha${algorithm.slice(2)}`, secret)
    .update(text)
    .digest('base64url')}`
}

/** Signed with a private key. */
export function signedBy(claims: Claims, key: KeyObject, algorithm: string, header: Claims = {}): string {
  const text = unsigned(claims, algorithm, header)
  const hash = algorithm === 'EdDSA' ? null : `sha${algorithm.slice(2)}`
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const signature = sign(hash, Buffer.from(text), {
    key,
    ...(algorithm.startsWith('ES') && { dsaEncoding: 'ieee-p1363' as const }),
    ...(algorithm.startsWith('PS') && pss),
  })
  return `${text}.${signature.toString('base64url')}`
}
