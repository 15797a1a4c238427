import { isIP } from 'node:net'
import type { ServiceEntity } from './config/entities.ts'
import type { UpstreamTls } from './upstream-tls.ts'

/** A service reached over the network, and how. */
export type RemoteDestination = {
  readonly kind: 'remote'
  readonly origin: string
  /** What is spoken there: HTTP/2 with services for gRPC, without TLS as well. */
  readonly protocol: 'http/1.1' | 'h2'
  readonly connectTimeoutMs: number
  readonly readTimeoutMs: number
  /** How long the service may take none of a body that is ready to be sent. */
  readonly writeTimeoutMs: number
  /** Further attempts after the first. */
  readonly retries: number
  /** Of HTTPS: the name that the certificate must have. */
  readonly serverName: string | undefined
  readonly tls: UpstreamTls
  /** The same for all that can share connections. */
  readonly poolKey: string
}

export function isGrpc(protocol: string): boolean {
  return protocol === 'grpc' || protocol === 'grpcs'
}

/** `host`: the name that is asked for by TLS, in place of the service's. */
export function remoteDestination(
  service: ServiceEntity,
  origin: string,
  { tls, host = service.host }: { readonly tls: UpstreamTls; readonly host?: string },
): RemoteDestination {
  const serverName = isIP(host) === 0 ? host : undefined
  const protocol = isGrpc(service.protocol) ? 'h2' : 'http/1.1'
  return {
    kind: 'remote',
    origin,
    protocol,
    connectTimeoutMs: service.connect_timeout,
    readTimeoutMs: service.read_timeout,
    writeTimeoutMs: service.write_timeout,
    retries: service.retries,
    serverName,
    tls,
    poolKey: `${protocol} ${origin} ${service.connect_timeout} ${serverName ?? ''} ${tls.key}`,
  }
}
