import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { ConnectionDrain, stopListening } from '../../core/index.ts'

/** For tests of load balancing: a server that can be killed, restarted on its port, and stopped as a good one stops. */
export class TargetServer {
  port = 0
  requests = 0
  connections = 0
  readonly #listener: RequestListener
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #drain: ConnectionDrain | undefined

  constructor(context: TestContext, listener: RequestListener) {
    this.#listener = listener
    context.after(() => this.kill())
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size
  }

  get place(): string {
    return `127.0.0.1:${this.port}`
  }

  /** On the port that it had before, if it ran before. */
  async start(): Promise<this> {
    const server = createServer((request, response) => {
      this.requests += 1
      this.#listener(request, response)
    })
    this.#drain = new ConnectionDrain(server)
    server.on('connection', (socket) => {
      this.connections += 1
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    server.listen(this.port, '127.0.0.1')
    await once(server, 'listening')
    this.port = (server.address() as AddressInfo).port
    this.#server = server
    return this
  }

  /** At once, with every connection. */
  kill(): void {
    this.#server?.close()
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Finishes what it was asked, and tells its clients to connect elsewhere. */
  async stop(): Promise<void> {
    if (this.#server === undefined) return
    await this.#drain?.end(stopListening(this.#server), { deadlineAtMs: Date.now() + 10_000 })
  }
}

export function startTarget(context: TestContext, listener: RequestListener): Promise<TargetServer> {
  return new TargetServer(context, listener).start()
}
