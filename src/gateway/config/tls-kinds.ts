import { createPrivateKey, X509Certificate } from 'node:crypto'
import { messageOf } from '../../core/index.ts'
import { sniName, tags, timestamp, uuid } from './field-types.ts'
import type { EntityCheckFailure, EntitySchema, Field } from './schema.ts'

/** Certificates, the names they are for, and authorities. Source: Kong 3.9, `kong/db/schema/entities`. */

const identity = [{ id: uuid }, { created_at: timestamp }, { updated_at: timestamp }]

const certificate: Field = {
  type: 'string',
  custom_validator: (pem: string) => {
    const read = readCertificate(pem)
    return read instanceof X509Certificate ? undefined : `invalid certificate: ${read}`
  },
  description: 'A certificate, or a chain of them, as PEM.',
}

const key: Field = {
  type: 'string',
  custom_validator: (pem: string) => (readKey(pem) === undefined ? 'invalid key' : undefined),
  referenceable: true,
  encrypted: true,
  description: 'A private key as PEM.',
}

export const certificates: EntitySchema = {
  name: 'certificates',
  primary_key: ['id'],
  fields: [
    ...identity,
    { cert: { ...certificate, required: true } },
    { key: { ...key, required: true } },
    { cert_alt: certificate },
    { key_alt: key },
    { tags },
  ],
  entity_checks: [
    { mutually_required: ['cert_alt', 'key_alt'] },
    { custom_entity_check: { field_sources: ['cert', 'key'], fn: ({ cert, key }) => pairError(cert, key) } },
    {
      custom_entity_check: { field_sources: ['cert_alt', 'key_alt'], fn: (entity) => alternativeError(entity) },
    },
  ],
}

export const snis: EntitySchema = {
  name: 'snis',
  primary_key: ['id'],
  endpoint_key: 'name',
  fields: [
    ...identity,
    { name: { ...sniName, unique: true, required: true } },
    { certificate: { type: 'foreign', reference: 'certificates', required: true, on_delete: 'cascade' } },
    { tags },
  ],
}

export const caCertificates: EntitySchema = {
  name: 'ca_certificates',
  primary_key: ['id'],
  fields: [
    ...identity,
    { cert: { ...certificate, required: true, custom_validator: authorityError } },
    { cert_digest: { type: 'string', unique: true } },
    { tags },
  ],
  derive: ({ cert }) => ({ cert_digest: digestOf(String(cert)) }),
}

function pairError(cert: unknown, key: unknown): EntityCheckFailure | undefined {
  if (typeof cert !== 'string' || typeof key !== 'string') return undefined
  const read = readCertificate(cert)
  const secret = readKey(key)
  if (!(read instanceof X509Certificate) || secret === undefined) return undefined
  return read.checkPrivateKey(secret) ? undefined : 'certificate does not match key'
}

/** A second certificate is for clients that cannot use the first one's kind of key. */
function alternativeError(entity: Readonly<Record<string, unknown>>): EntityCheckFailure | undefined {
  const { cert, cert_alt, key_alt } = entity
  if (typeof cert_alt !== 'string' || typeof key_alt !== 'string') return undefined
  const error = pairError(cert_alt, key_alt)
  if (error !== undefined) return `alternative ${error}`
  const [first, second] = [kindOf(cert), kindOf(cert_alt)]
  if (first === undefined || first !== second) return undefined
  return (
    'certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), ' +
    'the provided certificates were both of the same type'
  )
}

function authorityError(pem: string): string | undefined {
  const count = pem.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0
  if (count > 1) return 'please submit only one certificate at a time'
  const read = readCertificate(pem)
  if (!(read instanceof X509Certificate)) return `invalid certificate: ${read}`
  return read.ca ? undefined : 'certificate does not appear to be a CA because it is missing the "CA" basic constraint'
}

/** Of what is signed, not of its text: the same certificate in other line breaks is the same. */
function digestOf(pem: string): string | null {
  const read = readCertificate(pem)
  return read instanceof X509Certificate ? read.fingerprint256.replaceAll(':', '').toLowerCase() : null
}

function kindOf(pem: unknown): string | undefined {
  const read = typeof pem === 'string' ? readCertificate(pem) : undefined
  return read instanceof X509Certificate ? read.publicKey.asymmetricKeyType : undefined
}

/** The certificate, of a chain the first, or why it cannot be read. */
function readCertificate(pem: string): X509Certificate | string {
  try {
    return new X509Certificate(pem)
  } catch (error) {
    return messageOf(error)
  }
}

/** Undefined for what is no key; why is not said, since the reason could quote it. */
function readKey(pem: string) {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined // Whoever asks has an answer for that.
  }
}
