import type { BalancedDestination } from './balancer/destination.ts'
import { Selection } from './balancer/selection.ts'
import type { Exchange } from './exchange.ts'
import { ConnectionPool } from './http1/connection-pool.ts'
import { Http2Pool } from './http2-pool.ts'
import { UPSTREAM_SWEEP_MS } from './limits.ts'
import { dispatchLocal } from './local-dispatch.ts'
import type { RemoteDestination } from './remote-destination.ts'
import { UpstreamAttempts } from './upstream-attempt.ts'
import type { UpstreamConnections } from './upstream-connections.ts'
import { ownFailure, tellFailure } from './upstream-failure.ts'

/** Connections to services elsewhere: one bounded keep-alive pool for each way of connecting to an origin. */
export class RemoteProxy {
  readonly #pools = new Map<string, UpstreamConnections>()
  /** Of destinations that are gone, until the last request there is done. */
  readonly #leaving = new Set<UpstreamConnections>()
  #sweeping: NodeJS.Timeout | undefined

  /** Sends the rewritten request on and its answer back. `timeoutMs` is what is left for the whole of it. */
  forward(exchange: Exchange, destination: RemoteDestination, timeoutMs: number): void {
    const pool = this.#poolOf(destination)
    new UpstreamAttempts(exchange, { pool, destination, timeoutMs }).start()
  }

  /** The same, to an address of the destination's choice, which may be in this process. */
  forwardBalanced(exchange: Exchange, destination: BalancedDestination, timeoutMs: number): undefined | Promise<void> {
    return this.#forwardTo(new Selection(destination, exchange), exchange, timeoutMs)
  }

  /** Closes the pools of destinations that the configuration no longer has, once their requests are done. */
  retain(destinations: Iterable<RemoteDestination>): void {
    const wanted = new Set([...destinations].map(({ poolKey }) => poolKey))
    for (const [key, pool] of this.#pools) {
      if (wanted.has(key)) continue
      this.#pools.delete(key)
      this.#leaving.add(pool)
      pool.close()
    }
  }

  /** Cuts off what is still open. */
  destroy(): void {
    clearInterval(this.#sweeping)
    this.#sweeping = undefined
    for (const pool of [...this.#pools.values(), ...this.#leaving]) pool.destroy()
    this.#pools.clear()
    this.#leaving.clear()
  }

  #forwardTo(selection: Selection, exchange: Exchange, timeoutMs: number): undefined | Promise<void> {
    const address = selection.next()
    if (address === undefined) return this.#forwardLater(selection, exchange, timeoutMs)
    if (address.place.local !== undefined) {
      dispatchLocal(exchange, address.place.local, { timeoutMs, selection })
      return undefined
    }
    const destination = selection.destination.at(address)
    const poolOf = (remote: RemoteDestination) => this.#poolOf(remote)
    new UpstreamAttempts(exchange, { pool: poolOf(destination), destination, timeoutMs, selection, poolOf }).start()
    return undefined
  }

  /** Waits for names that are being resolved for the first time; without any there is nothing to wait for. */
  #forwardLater(selection: Selection, exchange: Exchange, timeoutMs: number): undefined | Promise<void> {
    const resolving = selection.destination.balancer.whenResolved()
    if (resolving === undefined) {
      const upstream = selection.destination.balancer.upstream.name
      tellFailure(exchange, { upstream, status: 503, error: ownFailure('UPSTREAM_NONE_LEFT') })
      return exchange.exit(503, 'failure to get a peer from the ring-balancer')
    }
    const startedAtMs = performance.now()
    return resolving.then(() => {
      const leftMs = timeoutMs - (performance.now() - startedAtMs)
      return exchange.closed ? undefined : this.#forwardTo(selection, exchange, leftMs)
    })
  }

  #poolOf(destination: RemoteDestination): UpstreamConnections {
    const known = this.#pools.get(destination.poolKey)
    if (known !== undefined) return known
    const pool = destination.protocol === 'h2' ? new Http2Pool(destination) : new ConnectionPool(destination)
    this.#pools.set(destination.poolKey, pool)
    this.#sweeping ??= setInterval(() => this.#sweep(), UPSTREAM_SWEEP_MS).unref()
    return pool
  }

  #sweep(): void {
    const nowMs = performance.now()
    for (const pool of this.#pools.values()) pool.sweep(nowMs)
    for (const pool of this.#leaving) if (pool.isEmpty) this.#leaving.delete(pool)
  }
}
