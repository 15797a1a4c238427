import { Bag } from '../core/index.ts'
import type { Peer } from './client-address.ts'

/**
 * Ends clients' connections of HTTP/1.1 that have carried no request for so long. All of them are looked at now and
 * then: Node's own timer, which is wound up and down with every request, is 3 % of what a request costs.
 *
 *     in use ─its last request is over→ idle ─a request→ in use
 *     idle ─nothing received for `idleMs`→ ended
 *
 * A connection that is in the middle of a head is not idle: how long that may take is bounded elsewhere.
 */
export class IdleConnections {
  readonly #idleMs: number
  readonly #peers = new Bag<Peer>()

  constructor(idleMs: number) {
    this.#idleMs = idleMs
  }

  /** A request has come. */
  begin(peer: Peer): void {
    peer.underWay += 1
    const { socket } = peer
    if (peer.bagIndex >= 0 || socket.destroyed) return
    this.#peers.add(peer)
    socket.once('close', () => this.#peers.delete(peer))
  }

  /** It is over. */
  end(peer: Peer): void {
    peer.underWay -= 1
    peer.receivedBytes = peer.socket.bytesRead
    peer.idleSinceMs = performance.now()
  }

  sweep(nowMs: number): void {
    for (const { underWay, idleSinceMs, receivedBytes, socket } of this.#peers.all()) {
      const isIdle = underWay === 0 && socket.bytesRead === receivedBytes
      if (isIdle && nowMs - idleSinceMs >= this.#idleMs) socket.destroy()
    }
  }
}
