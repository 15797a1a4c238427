import { isIP } from 'node:net'
import type { ServiceEntity } from './config/entities.ts'

/** A service reached over the network, and how. */
export type RemoteDestination = {
  readonly kind: 'remote'
  readonly origin: string
  readonly connectTimeoutMs: number
  readonly readTimeoutMs: number
  /** How long the service may take none of a body that is ready to be sent. */
  readonly writeTimeoutMs: number
  /** Further attempts after the first. */
  readonly retries: number
  /** Of HTTPS: the name that the certificate must have, and whether it is checked. */
  readonly serverName: string | undefined
  readonly verify: boolean
}

export function remoteDestination(service: ServiceEntity, origin: string): RemoteDestination {
  return {
    kind: 'remote',
    origin,
    connectTimeoutMs: service.connect_timeout,
    readTimeoutMs: service.read_timeout,
    writeTimeoutMs: service.write_timeout,
    retries: service.retries,
    serverName: isIP(service.host) === 0 ? service.host : undefined,
    // Unlike Kong, whose default is not to check: who wants that says so.
    verify: service.tls_verify ?? true,
  }
}
