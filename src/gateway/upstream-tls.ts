import { createHash } from 'node:crypto'
import { checkServerIdentity, type DetailedPeerCertificate, type PeerCertificate } from 'node:tls'
import type { CertificateEntity, GatewayConfig, Reference, ServiceEntity } from './config/entities.ts'

/** What the gateway shows to a service by TLS, and whom it believes there. */
export type UpstreamTls = {
  /** Whether the service's certificate is checked. */
  readonly verify: boolean
  /** PEM; undefined for the authorities that Node knows. */
  readonly authorities: readonly string[] | undefined
  /** Certificates between the service's and the authority's, at most. */
  readonly depthMax: number | undefined
  /** What the gateway shows when the service asks. */
  readonly client: CertificateEntity | undefined
  /** Differs between any two that differ: a connection is for one of them. */
  readonly key: string
}

/** How a service, reached through an upstream or not, is to be spoken to. */
export function upstreamTls(
  config: Pick<GatewayConfig, 'certificates' | 'caCertificates'>,
  service: ServiceEntity,
  upstream?: { readonly client_certificate: Reference | null },
): UpstreamTls {
  const { tls_verify, tls_verify_depth, ca_certificates } = service
  const clientId = (service.client_certificate ?? upstream?.client_certificate ?? null)?.id
  const client = clientId === undefined ? undefined : config.certificates.find(({ id }) => id === clientId)
  // One that is gone is not believed, and none but these is: without any nobody is.
  const authorities = ca_certificates?.flatMap(
    (wanted) => config.caCertificates.find(({ id }) => id === wanted)?.cert ?? [],
  )
  // Unlike Kong, whose default is not to check: who wants that says so.
  const parts = { verify: tls_verify ?? true, authorities, depthMax: tls_verify_depth ?? undefined, client }
  return { ...parts, key: keyOf(parts) }
}

/** What Node calls it. */
export type TlsOptions = {
  rejectUnauthorized: boolean
  servername?: string
  ca?: string[]
  cert?: string[]
  key?: string[]
  checkServerIdentity?: (name: string, certificate: PeerCertificate) => Error | undefined
}

export function tlsOptionsOf({ serverName, tls }: { serverName: string | undefined; tls: UpstreamTls }): TlsOptions {
  const { verify, authorities, depthMax, client } = tls
  return {
    rejectUnauthorized: verify,
    ...(serverName !== undefined && { servername: serverName }),
    ...(authorities !== undefined && { ca: [...authorities] }),
    ...(client !== undefined && {
      cert: [client.cert, client.cert_alt].filter((text) => text !== null),
      key: [client.key, client.key_alt].filter((text) => text !== null),
    }),
    ...(depthMax !== undefined && {
      checkServerIdentity: (name, certificate) =>
        checkServerIdentity(name, certificate) ?? depthError(certificate as DetailedPeerCertificate, depthMax),
    }),
  }
}

function depthError(certificate: DetailedPeerCertificate, depthMax: number): Error | undefined {
  let between = 0
  let current = certificate
  // An authority is its own issuer; where Node does not know the issuer it says nothing of one.
  while (current.issuerCertificate !== undefined && current.issuerCertificate !== current) {
    current = current.issuerCertificate
    if (current.issuerCertificate !== current) between += 1
  }
  if (between <= depthMax) return undefined
  return new Error(`${between} certificates stand between the service's and its authority's, ${depthMax} may`)
}

function keyOf({ verify, authorities, depthMax, client }: Omit<UpstreamTls, 'key'>): string {
  if (authorities === undefined && client === undefined) return `${verify} ${depthMax ?? ''}`
  const shown = client && [client.cert, client.key, client.cert_alt, client.key_alt]
  return createHash('sha256')
    .update(JSON.stringify([verify, authorities, depthMax, shown]))
    .digest('hex')
}
