import type { RemoteDestination } from './remote-destination.ts'

/** What Node and undici call it. */
export type TlsOptions = { rejectUnauthorized: boolean; servername?: string }

/** How a connection to an upstream is secured. */
export function tlsOptionsOf({ serverName, verify }: RemoteDestination): TlsOptions {
  return { rejectUnauthorized: verify, ...(serverName === undefined ? {} : { servername: serverName }) }
}
