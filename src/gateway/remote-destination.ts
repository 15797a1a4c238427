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
  /** The same for all that can share connections. */
  readonly poolKey: string
}

/** `host`: the name that is asked for by TLS, in place of the service's. */
export function remoteDestination(service: ServiceEntity, origin: string, host = service.host): RemoteDestination {
  const serverName = isIP(host) === 0 ? host : undefined
  // Unlike Kong, whose default is not to check: who wants that says so.
  const verify = service.tls_verify ?? true
  return {
    kind: 'remote',
    origin,
    connectTimeoutMs: service.connect_timeout,
    readTimeoutMs: service.read_timeout,
    writeTimeoutMs: service.write_timeout,
    retries: service.retries,
    serverName,
    verify,
    poolKey: `${origin} ${service.connect_timeout} ${serverName ?? ''} ${verify}`,
  }
}
