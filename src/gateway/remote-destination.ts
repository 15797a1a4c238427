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
}

export function isGrpc(protocol: string): boolean {
  return protocol === 'grpc' || protocol === 'grpcs'
}

export function remoteDestination(service: ServiceEntity, origin: string, tls: UpstreamTls): RemoteDestination {
  return {
    kind: 'remote',
    origin,
    protocol: isGrpc(service.protocol) ? 'h2' : 'http/1.1',
    connectTimeoutMs: service.connect_timeout,
    readTimeoutMs: service.read_timeout,
    writeTimeoutMs: service.write_timeout,
    retries: service.retries,
    serverName: isIP(service.host) === 0 ? service.host : undefined,
    tls,
  }
}
