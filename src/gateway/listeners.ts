import { once } from 'node:events'
import { type AddressInfo, createServer, type ListenOptions, type Server as NetServer } from 'node:net'
import { LISTEN_BACKLOG, stopListening } from '../core/index.ts'
import { LISTENERS } from './limits.ts'

/**
 * Accepts connections for an HTTP server through several listening sockets on one port. The event loop accepts one
 * connection per listening socket and turn; under load a turn takes tens of milliseconds, and with a single socket the
 * two-thousandth client of a burst waits for half a minute while those that are in are served at full speed.
 * Source: libuv 1.47, "don't accept() connections in a loop"; SO_REUSEPORT, socket(7).
 */
export class Listeners {
  readonly #server: HttpServer
  readonly #others: NetServer[] = []

  constructor(server: HttpServer) {
    this.#server = server
  }

  /** Resolves with the port. Rejects with the system's error, `EADDRINUSE` for one, and then listens nowhere. */
  async listen({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    const bound = await claimPort({ host, port })
    const shared = { host, port: bound, backlog: LISTEN_BACKLOG, reusePort: isShareable }
    try {
      this.#server.listen(shared)
      await once(this.#server as NetServer, 'listening')
      for (let count = 1; count < (isShareable ? LISTENERS : 1); count++) await this.#add(shared)
    } catch (error) {
      await this.close()
      throw error
    }
    return bound
  }

  async #add(options: ListenOptions): Promise<void> {
    const listener = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#server.emit('connection', socket)
    })
    listener.listen(options)
    await once(listener, 'listening')
    this.#others.push(listener)
  }

  /** Accepts no more, and resolves when every connection has ended. */
  async close(): Promise<void> {
    await Promise.all([this.#server, ...this.#others].map(stopListening))
  }
}

/** What this needs of an HTTP server, of whatever kinds of requests and responses. */
type HttpServer = Pick<NetServer, 'close' | 'emit' | 'listen' | 'off' | 'on'>

/** Elsewhere a port that several sockets share goes to one of them only, or cannot be shared. */
const isShareable = process.platform === 'linux'

/** A port that can be shared would also be shared with another gateway: first see that nobody else has it. */
async function claimPort(address: { readonly host: string; readonly port: number }): Promise<number> {
  const claim = createServer()
  claim.listen({ ...address, exclusive: true })
  await once(claim, 'listening')
  const { port } = claim.address() as AddressInfo
  await stopListening(claim)
  return port
}
