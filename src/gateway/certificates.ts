import { createSecureContext, type SecureContext } from 'node:tls'
import { messageOf } from '../core/index.ts'
import type { CertificateEntity, GatewayConfig } from './config/entities.ts'
import { selfSigned } from './self-signed.ts'

/** Certificates with their keys, as PEM: one, or two with different kinds of keys, of which the client takes one. */
export type KeyPairs = { readonly cert: string[]; readonly key: string[] }

/** Which certificate a client gets. */
export type Certificates = {
  /** For the name that it asks for. */
  contextFor(name: string): SecureContext
  /** When it asks for no name. The same object for as long as it is the same certificate. */
  readonly unnamed: KeyPairs
  /** What cannot be used, for people; the gateway's own stands in for it. Never holds a key. */
  readonly problems: readonly string[]
}

type Usable = { readonly pairs: KeyPairs; readonly context: SecureContext }

/** Certificates that did not change are read once. */
const known = new WeakMap<CertificateEntity, Usable>()
let own: Usable | undefined

/**
 * By the most specific name: itself, `*.example.com`, `example.*`, `*`, then the gateway's own certificate, self-signed
 * and new with every process. Source: Kong 3.9, `kong/runloop/certificate.lua`.
 */
export function compileCertificates({ certificates, snis }: GatewayConfig): Certificates {
  const problems: string[] = []
  const usable = new Map<string, Usable>()
  const named = new Set(snis.map(({ certificate }) => certificate.id))
  for (const certificate of certificates) {
    if (!named.has(certificate.id)) continue
    try {
      usable.set(certificate.id, read(certificate))
    } catch (error) {
      problems.push(`certificate ${certificate.id} cannot be used: ${messageOf(error)}`)
    }
  }
  const byName = new Map(snis.map(({ name, certificate }) => [name.toLowerCase(), usable.get(certificate.id)]))
  return {
    problems,
    contextFor: (name) => (lookUp(byName, name.toLowerCase().replace(/\.$/, '')) ?? ownCertificate()).context,
    get unnamed() {
      return (byName.get('*') ?? ownCertificate()).pairs
    },
  }
}

function read(certificate: CertificateEntity): Usable {
  const { cert, key, cert_alt, key_alt } = certificate
  const read = known.get(certificate) ?? usableOf({ cert: present(cert, cert_alt), key: present(key, key_alt) })
  known.set(certificate, read)
  return read
}

function ownCertificate(): Usable {
  if (own === undefined) {
    const { cert, key } = selfSigned('localhost')
    own = usableOf({ cert: [cert], key: [key] })
  }
  return own
}

const usableOf = (pairs: KeyPairs): Usable => ({ pairs, context: createSecureContext(pairs) })

const present = (...texts: readonly (string | null)[]) => texts.filter((text) => text !== null)

function lookUp(names: ReadonlyMap<string, Usable | undefined>, name: string): Usable | undefined {
  const [first, last] = [name.indexOf('.'), name.lastIndexOf('.')]
  const wildcards = first < 0 ? [] : [`*${name.slice(first)}`, `${name.slice(0, last)}.*`]
  for (const pattern of [name, ...wildcards, '*']) {
    const found = names.get(pattern)
    if (found !== undefined) return found
  }
  return undefined
}
