import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Exchange } from './exchange.ts'
import { GatewayResponse } from './response.ts'

/**
 * A connection that leaves HTTP: after the upstream's 101, bytes pass both ways as they come, no faster than the other
 * side reads. WebSocket only (RFC 6455); other upgrades are ignored, as RFC 9110, 7.8 allows.
 *
 *     asked ─upstream answers 101→ joined ─either side ends, or neither sends for the read timeout, or drain→ ended
 *     asked ─any other answer→ an ordinary response, after which the connection is closed
 */
export class Upgrade {
  readonly #client: Socket
  #upstream: Socket | undefined

  /** `head`: what the client has sent behind its request. */
  constructor(client: Socket, head: Buffer) {
    this.#client = client
    if (head.length > 0) client.unshift(head)
    // Node has let go of the socket: an error on it is the end of it, as `close` tells.
    client.on('error', () => client.destroy())
  }

  /** What the gateway answers with, until the upstream agrees. */
  responseTo(request: IncomingMessage): GatewayResponse {
    const response = new GatewayResponse(request)
    response.shouldKeepAlive = false
    response.assignSocket(this.#client)
    response.on('finish', () => this.#client.destroySoon())
    return response
  }

  /** The upstream has agreed, with these headers: tells the client, and joins the two connections. */
  join(exchange: Exchange, other: Socket, { headers, idleMs }: { headers: readonly string[]; idleMs: number }) {
    const client = this.#client
    this.#upstream = other
    exchange.response.writeHead(101, ['Connection', 'Upgrade', 'Upgrade', 'websocket', ...headers])
    exchange.response.flushHeaders()
    other.setTimeout(idleMs, () => this.end())
    other.on('error', () => other.destroy())
    other.on('close', () => client.destroySoon())
    client.on('close', () => other.destroySoon())
    client.pipe(other).pipe(client)
  }

  /** Cuts off both connections. */
  destroy(): void {
    this.#client.destroy()
    this.#upstream?.destroy()
  }

  /** Ends both connections when what is written to them has been sent. */
  end(): void {
    this.#client.destroySoon()
    this.#upstream?.destroySoon()
  }
}

/** Whether to leave HTTP for this request, rather than to serve it as if it had not asked. */
export function asksForWebSocket({ method, headers }: IncomingMessage): boolean {
  return method === 'GET' && headers.upgrade?.toLowerCase() === 'websocket'
}
