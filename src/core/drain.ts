import type { IncomingMessage, ServerResponse } from 'node:http'
import { Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { type StopOptions, untilDeadline } from './lifecycle.ts'
import { DRAIN_ACCEPT_TURNS_MAX, DRAIN_CHECK_MS, DRAIN_IDLE_MS } from './limits.ts'

/** What draining needs of an HTTP server, of whatever kinds of requests and responses. */
type HttpServer = Pick<Server, 'close' | 'on' | 'prependListener'> & {
  closeAllConnections(): void
  closeIdleConnections(): void
}

/**
 * Ends the connections of an HTTP server without failing a request on any of them. Node's own `close` cuts every idle
 * connection at once, and a request that its client is just sending on one of those fails although the client did
 * nothing wrong. So a connection may live on for a while:
 *
 *     in use ─next answer says `Connection: close`→ ended by its client
 *     idle ─unused for {@link DRAIN_IDLE_MS} since the drain began→ cut
 *     whatever is left ─at the deadline→ cut
 */
export class ConnectionDrain {
  readonly #server: HttpServer
  /** Connections that have not sent a request yet, which Node takes for busy. */
  readonly #silent = new Set<Socket>()
  #isDraining = false

  constructor(server: HttpServer) {
    this.#server = server
    server.on('connection', (socket: Socket) => {
      this.#silent.add(socket)
      socket.once('close', () => this.#silent.delete(socket))
    })
    server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#silent.delete(request.socket)
      if (this.#isDraining) response.shouldKeepAlive = false
    })
  }

  /** For a connection that another protocol has taken over, and ends. */
  release(socket: Socket): void {
    this.#silent.delete(socket)
  }

  /** Ends every connection of a server whose listening sockets are closing; `closed` resolves when none is left. */
  async end(closed: Promise<unknown>, options: StopOptions): Promise<void> {
    this.#isDraining = true
    const cutAtMs = performance.now() + DRAIN_IDLE_MS
    const sweep = setInterval(() => performance.now() >= cutAtMs && this.#cutIdle(), DRAIN_CHECK_MS)
    const outcome = await untilDeadline(closed, options)
    clearInterval(sweep)
    if (outcome === 'late') this.#server.closeAllConnections()
    // Of the whole `close` only the end of Node's own timer is left to do, and the error that says so to be ignored.
    this.#server.close(() => undefined)
  }

  #cutIdle(): void {
    this.#server.closeIdleConnections()
    for (const socket of this.#silent) socket.destroy()
  }
}

/**
 * Stops listening and resolves when the last connection has ended; cuts none, unlike `close` of an HTTP server, and
 * resets none that a client has made and nobody accepted yet, as the end of a listening socket does.
 */
export async function stopListening(server: Pick<Server, 'close' | 'on' | 'off'>): Promise<void> {
  await acceptWaiting(server)
  await new Promise<void>((resolve) => Server.prototype.close.call(server, () => resolve()))
}

/** The event loop accepts one connection a turn. What a client begins after the last of these turns is too late. */
async function acceptWaiting(server: Pick<Server, 'on' | 'off'>): Promise<void> {
  let accepted = 0
  const count = () => {
    accepted += 1
  }
  server.on('connection', count)
  for (let seen = -1, turn = 0; seen !== accepted && turn < DRAIN_ACCEPT_TURNS_MAX; turn++) {
    seen = accepted
    // Two: the turn that this is called in may have looked for connections already.
    await setImmediate()
    await setImmediate()
  }
  server.off('connection', count)
}
