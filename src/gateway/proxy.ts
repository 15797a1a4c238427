import { isIP } from 'node:net'
import { Pool } from 'undici'
import type { ServiceEntity } from './config/entities.ts'
import type { Exchange } from './exchange.ts'
import { RESPONSE_HEAD_BYTES_MAX, UPSTREAM_CONNECTIONS_MAX, UPSTREAM_IDLE_MS } from './limits.ts'
import { UpstreamAttempts } from './upstream-attempt.ts'

/** A service reached over the network, and how. */
export type RemoteDestination = {
  readonly kind: 'remote'
  readonly origin: string
  readonly connectTimeoutMs: number
  readonly readTimeoutMs: number
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
    retries: service.retries,
    serverName: isIP(service.host) === 0 ? service.host : undefined,
    // Unlike Kong, whose default is not to check: who wants that says so.
    verify: service.tls_verify ?? true,
  }
}

/** Connections to services elsewhere: one bounded keep-alive pool for each way of connecting to an origin. */
export class RemoteProxy {
  readonly #pools = new Map<string, Pool>()

  /** Sends the rewritten request on and its answer back. `timeoutMs` is what is left for the whole of it. */
  forward(exchange: Exchange, destination: RemoteDestination, timeoutMs: number): void {
    const pool = this.#poolOf(destination)
    new UpstreamAttempts(exchange, { pool, destination, timeoutMs }).start()
  }

  /** Closes the pools of destinations that the configuration no longer has, once their requests are done. */
  retain(destinations: Iterable<RemoteDestination>): void {
    const wanted = new Set([...destinations].map(poolKey))
    for (const [key, pool] of this.#pools) {
      if (wanted.has(key)) continue
      this.#pools.delete(key)
      // Closing waits for requests in flight; nobody waits for it, and it fails only when the pool is closed already.
      pool.close(() => {})
    }
  }

  /** Cuts off what is still open. */
  async destroy(): Promise<void> {
    const pools = [...this.#pools.values()]
    this.#pools.clear()
    await Promise.all(pools.map((pool) => pool.destroy()))
  }

  #poolOf(destination: RemoteDestination): Pool {
    const key = poolKey(destination)
    const known = this.#pools.get(key)
    if (known !== undefined) return known
    const pool = openPool(destination)
    this.#pools.set(key, pool)
    return pool
  }
}

function openPool(destination: RemoteDestination): Pool {
  return new Pool(destination.origin, {
    connections: UPSTREAM_CONNECTIONS_MAX,
    pipelining: 1,
    keepAliveTimeout: UPSTREAM_IDLE_MS,
    keepAliveMaxTimeout: UPSTREAM_IDLE_MS,
    maxHeaderSize: RESPONSE_HEAD_BYTES_MAX,
    connectTimeout: destination.connectTimeoutMs,
    allowH2: false,
    connect: {
      rejectUnauthorized: destination.verify,
      ...(destination.serverName === undefined ? {} : { servername: destination.serverName }),
    },
  })
}

function poolKey({ origin, connectTimeoutMs, serverName, verify }: RemoteDestination): string {
  return `${origin} ${connectTimeoutMs} ${serverName ?? ''} ${verify}`
}
