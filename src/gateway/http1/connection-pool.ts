import type { Socket } from 'node:net'
import { UPSTREAM_CONNECTIONS_MAX } from '../limits.ts'
import { Call, type CallHandler, type CallRequest } from './call.ts'
import { type Endpoint, openConnection } from './connect.ts'
import { Connection, type ConnectionOwner } from './connection.ts'

/**
 * Connections to one place, at most {@link UPSTREAM_CONNECTIONS_MAX}, kept for the next calls. Calls for which there is
 * none wait in order; their number is bounded by that of the clients' requests, and their time by these requests'
 * deadlines. A connection that becomes free is used before another is opened, and the one that was used last first: the
 * others may end.
 */
export class ConnectionPool implements ConnectionOwner {
  readonly #endpoint: Endpoint
  readonly #free: Connection[] = []
  readonly #connections = new Set<Connection>()
  /** For whoever waits, and for upgrades, each of which has one of its own. */
  readonly #connecting = new Set<Socket>()
  readonly #connectingToUpgrade = new Set<Socket>()
  readonly #waiting = new Set<Call>()
  #session: Buffer | undefined
  #isClosing = false
  #isDestroyed = false

  constructor(endpoint: Endpoint) {
    this.#endpoint = endpoint
  }

  get isEmpty(): boolean {
    const connecting = this.#connecting.size + this.#connectingToUpgrade.size
    return this.#connections.size + connecting + this.#waiting.size === 0
  }

  /** Sends a request. The handler is never called before this returns the call, except for its failure. */
  send(request: CallRequest, handler: CallHandler): Call {
    const call = new Call(request, handler, this.#withdraw)
    if (this.#isDestroyed) {
      call.fail(new Error('the gateway is closed'))
      return call
    }
    if (request.upgrades) {
      this.#open(call)
      return call
    }
    const free = this.#takeFree()
    if (free !== undefined) {
      free.run(call)
      return call
    }
    this.#waiting.add(call)
    this.#openForWaiting()
    return call
  }

  onFree(connection: Connection): void {
    const next = this.#nextWaiting()
    if (next !== undefined) connection.run(next)
    else if (this.#isClosing) connection.destroy()
    else this.#free.push(connection)
  }

  onGone(connection: Connection): void {
    this.#connections.delete(connection)
    const index = this.#free.indexOf(connection)
    if (index >= 0) this.#free.splice(index, 1)
    this.#openForWaiting()
  }

  /** Ends connections that nobody has needed for a while, or whose upstream is silent. To be called every second. */
  sweep(nowMs: number): void {
    for (const connection of [...this.#connections]) connection.check(nowMs)
  }

  /** Ends what is free now, and the rest as it becomes so. */
  close(): void {
    this.#isClosing = true
    for (const connection of this.#free.splice(0)) connection.destroy()
  }

  /** Ends everything; what is under way fails. */
  destroy(): void {
    this.#isClosing = true
    this.#isDestroyed = true
    for (const call of this.#waiting) call.abort(new Error('the gateway is closed'))
    for (const socket of [...this.#connecting, ...this.#connectingToUpgrade]) socket.destroy()
    for (const connection of this.#connections) connection.fail(new Error('the gateway is closed'))
  }

  readonly #withdraw = (call: Call): void => {
    this.#waiting.delete(call)
  }

  #takeFree(): Connection | undefined {
    const nowMs = performance.now()
    for (let free = this.#free.pop(); free !== undefined; free = this.#free.pop()) {
      if (nowMs < free.idleUntilMs) return free
      free.destroy()
    }
    return undefined
  }

  #nextWaiting(): Call | undefined {
    for (const call of this.#waiting) {
      this.#waiting.delete(call)
      return call
    }
    return undefined
  }

  #openForWaiting(): void {
    while (this.#connecting.size < this.#waiting.size) {
      if (this.#connections.size + this.#connecting.size >= UPSTREAM_CONNECTIONS_MAX) return
      this.#open(undefined)
    }
  }

  /** `call`: the one it is for; else it serves whoever waits. */
  #open(call: Call | undefined): void {
    let connection: Connection | undefined
    const connecting = call === undefined ? this.#connecting : this.#connectingToUpgrade
    const socket = openConnection(this.#endpoint, {
      isStream: call !== undefined,
      session: this.#session,
      onSession: (session) => {
        this.#session = session
      },
      onBytes: (bytes) => {
        connection?.receive(bytes)
        return connection?.isPaused !== true
      },
      onConnect: () => {
        connecting.delete(socket)
        connection = new Connection(socket, this)
        this.#connections.add(connection)
        if (call === undefined) this.onFree(connection)
        else if (call.isOver) connection.destroy()
        else connection.run(call)
      },
      onError: (error) => {
        connecting.delete(socket)
        const failed = call ?? this.#nextWaiting()
        failed?.fail(error)
        this.#openForWaiting()
      },
    })
    connecting.add(socket)
  }
}
