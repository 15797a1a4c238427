import { Pool } from 'undici'
import type { BalancedDestination } from './balancer/destination.ts'
import { Selection } from './balancer/selection.ts'
import type { Exchange } from './exchange.ts'
import { Http2Pool } from './http2-pool.ts'
import { RESPONSE_HEAD_BYTES_MAX, UPSTREAM_CONNECTIONS_MAX, UPSTREAM_IDLE_MS } from './limits.ts'
import { dispatchLocal } from './local-dispatch.ts'
import type { RemoteDestination } from './remote-destination.ts'
import { announcesTrailers, TrailingConnections } from './trailing-connections.ts'
import { UpstreamAttempts } from './upstream-attempt.ts'
import type { UpstreamConnections } from './upstream-connections.ts'
import { tlsOptionsOf } from './upstream-tls.ts'

/** Connections to services elsewhere: one bounded keep-alive pool for each way of connecting to an origin. */
export class RemoteProxy {
  readonly #pools = new Map<string, Pool | Http2Pool>()
  readonly #trailing = new TrailingConnections()

  /** Sends the rewritten request on and its answer back. `timeoutMs` is what is left for the whole of it. */
  forward(exchange: Exchange, destination: RemoteDestination, timeoutMs: number): void {
    const pool = this.#connectionsTo(destination, exchange)
    new UpstreamAttempts(exchange, { pool, destination, timeoutMs }).start()
  }

  /** The same, to an address of the destination's choice, which may be in this process. */
  forwardBalanced(exchange: Exchange, destination: BalancedDestination, timeoutMs: number): undefined | Promise<void> {
    return this.#forwardTo(new Selection(destination, exchange), exchange, timeoutMs)
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
    this.#trailing.destroy()
    await Promise.all(pools.map((pool) => pool.destroy()))
  }

  #forwardTo(selection: Selection, exchange: Exchange, timeoutMs: number): undefined | Promise<void> {
    const address = selection.next()
    if (address === undefined) return this.#forwardLater(selection, exchange, timeoutMs)
    if (address.place.local !== undefined) {
      dispatchLocal(exchange, address.place.local, { timeoutMs, selection })
      return undefined
    }
    const destination = selection.destination.at(address)
    const poolOf = (remote: RemoteDestination) => this.#connectionsTo(remote, exchange)
    new UpstreamAttempts(exchange, { pool: poolOf(destination), destination, timeoutMs, selection, poolOf }).start()
    return undefined
  }

  /** Waits for names that are being resolved for the first time; without any there is nothing to wait for. */
  #forwardLater(selection: Selection, exchange: Exchange, timeoutMs: number): undefined | Promise<void> {
    const resolving = selection.destination.balancer.whenResolved()
    if (resolving === undefined) return exchange.exit(503, 'failure to get a peer from the ring-balancer')
    const startedAtMs = performance.now()
    return resolving.then(() => {
      const leftMs = timeoutMs - (performance.now() - startedAtMs)
      return exchange.closed ? undefined : this.#forwardTo(selection, exchange, leftMs)
    })
  }

  #connectionsTo(destination: RemoteDestination, exchange: Exchange): UpstreamConnections {
    const isTrailing = destination.protocol === 'http/1.1' && announcesTrailers(exchange)
    return isTrailing ? this.#trailing.to(destination) : this.#poolOf(destination)
  }

  #poolOf(destination: RemoteDestination): Pool | Http2Pool {
    const key = poolKey(destination)
    const known = this.#pools.get(key)
    if (known !== undefined) return known
    const pool = destination.protocol === 'h2' ? new Http2Pool(destination) : openPool(destination)
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
    connect: tlsOptionsOf(destination),
  })
}

function poolKey({ protocol, origin, connectTimeoutMs, serverName, tls }: RemoteDestination): string {
  return `${protocol} ${origin} ${connectTimeoutMs} ${serverName ?? ''} ${tls.key}`
}
