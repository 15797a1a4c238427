import { connect, type Socket } from 'node:net'
import { messageOf } from '../../core/index.ts'
import { type Answer, type AnswerReader, createAnswerReader } from './http-answer.ts'
import { ANSWER_BYTES_MAX, IDLE_MS_MAX, READ_BUFFER_BYTES } from './limits.ts'

/**
 * A minimal HTTP/1.1 client for load: keep-alive connections with one request each on the way, requests that are text
 * already, callbacks instead of promises. It costs a fraction of a general client's CPU (bench/orders/load-generator.ts
 * compares), which matters because it shares the machine with what it measures.
 */
export type HttpClient = {
  /** Sends now. False when every connection is busy and no more may be opened. */
  send(request: RequestText, ticket: Ticket): boolean
  /**
   * Fails every request that was sent before `sentBeforeMs` as timed out, and closes connections that idled too long.
   */
  sweep(nowMs: number, sentBeforeMs: number): void
  readonly inFlight: number
  /** Closes every connection; what is on its way fails as `closed`. */
  close(): void
}

/** A request as it goes over the wire. One-byte text is written without a conversion. */
export type RequestText = { readonly text: string; readonly encoding: 'latin1' | 'utf8' }

/** What the sender wants back with the answer. Times are of one monotonic clock, in milliseconds. */
export type Ticket = { readonly n: number; readonly dueAtMs: number; readonly sentAtMs: number }

export type HttpClientOptions = {
  /** An address, not a name: a lookup per connection would cost more than the request. */
  readonly address: string
  readonly port: number
  readonly connectionsMax: number
  readonly onAnswer: (ticket: Ticket, answer: Answer) => void
  /** `reason` is an error code such as `ECONNRESET`, `timeout`, `closed`, or what is wrong with the answer. */
  readonly onFailure: (ticket: Ticket, reason: string) => void
}

export function createHttpClient(options: HttpClientOptions): HttpClient {
  const open = new Set<Connection>()
  // Last in, first out: a few connections stay hot and the surplus idles until it is closed.
  const idle: Connection[] = []
  let inFlight = 0

  const events: ConnectionEvents = {
    onAnswer(connection, ticket, answer) {
      inFlight -= 1
      if (answer.reusable) idle.push(connection)
      else connection.destroy('closed')
      options.onAnswer(ticket, answer)
    },
    onClose(connection, ticket, reason) {
      open.delete(connection)
      if (ticket === undefined) {
        const index = idle.indexOf(connection)
        if (index >= 0) idle.splice(index, 1)
        return
      }
      inFlight -= 1
      options.onFailure(ticket, reason)
    },
  }

  function send(request: RequestText, ticket: Ticket): boolean {
    const reused = idle.pop()
    if (reused === undefined && open.size >= options.connectionsMax) return false
    const connection = reused ?? new Connection(options.address, options.port, events)
    if (reused === undefined) open.add(connection)
    inFlight += 1
    connection.send(request, ticket)
    return true
  }

  function sweep(nowMs: number, sentBeforeMs: number): void {
    for (const connection of open) {
      const { ticket } = connection
      if (ticket !== undefined && ticket.sentAtMs < sentBeforeMs) connection.destroy('timeout')
      else if (ticket === undefined && connection.lastSentAtMs < nowMs - IDLE_MS_MAX) connection.destroy('closed')
    }
  }

  return {
    send,
    sweep,
    get inFlight() {
      return inFlight
    },
    close() {
      for (const connection of open) connection.destroy('closed')
    },
  }
}

type ConnectionEvents = {
  onAnswer(connection: Connection, ticket: Ticket, answer: Answer): void
  /** Once for every connection; `ticket` is the request that was on its way, if any. */
  onClose(connection: Connection, ticket: Ticket | undefined, reason: string): void
}

/** One connection with at most one request on its way: idle (no ticket) → busy (ticket) → idle | closed. */
class Connection {
  ticket: Ticket | undefined
  lastSentAtMs = 0
  readonly #socket: Socket
  readonly #reader: AnswerReader = createAnswerReader(ANSWER_BYTES_MAX)
  readonly #events: ConnectionEvents
  #closed = false

  constructor(address: string, port: number, events: ConnectionEvents) {
    this.#events = events
    this.#socket = connect({
      host: address,
      port,
      noDelay: true,
      // Reading into one buffer by callback skips the stream machinery, a third of the cost of a request.
      onread: { buffer: Buffer.allocUnsafe(READ_BUFFER_BYTES), callback: (length, bytes) => this.#read(length, bytes) },
    })
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.destroy(error.code ?? messageOf(error)))
    this.#socket.on('end', () => this.#finish())
    this.#socket.on('close', () => this.#finish())
  }

  send(request: RequestText, ticket: Ticket): void {
    this.ticket = ticket
    this.lastSentAtMs = ticket.sentAtMs
    this.#socket.write(request.text, request.encoding)
  }

  destroy(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#socket.destroy()
    const { ticket } = this
    this.ticket = undefined
    this.#events.onClose(this, ticket, reason)
  }

  #read(length: number, bytes: Uint8Array): boolean {
    if (this.#closed) return true
    try {
      this.#answer(this.#reader.push(Buffer.from(bytes.buffer, bytes.byteOffset, length)))
    } catch (error) {
      this.destroy(messageOf(error))
    }
    return true
  }

  /** The server closed: that ends an answer without a length, and fails a request without an answer. */
  #finish(): void {
    if (this.#closed) return
    if (this.ticket !== undefined) this.#answer(this.#reader.end())
    this.destroy('ECONNRESET')
  }

  #answer(answer: Answer | undefined): void {
    const { ticket } = this
    if (answer === undefined) return
    if (ticket === undefined) {
      this.destroy('an answer came without a request')
      return
    }
    this.ticket = undefined
    this.#events.onAnswer(this, ticket, answer)
  }
}
