import type { Socket } from 'node:net'
import type { Connection } from './connection.ts'
import type { OutgoingRequest } from './request-text.ts'
import type { ResponseHead } from './response-head.ts'
import type { ResponseSink } from './response-reader.ts'

/** A request, and how long its upstream may be silent: until the answer begins, and between any two bytes of it. */
export type CallRequest = OutgoingRequest & { readonly silenceMs: number }

/**
 * What becomes of a call: sent, any number of interim heads, the head, data, end. It may fail at each step, and then
 * nothing follows.
 */
export type CallHandler = ResponseSink & {
  /** It is about to be written to a connection: from here on it may have arrived. */
  onSent(): void
  /** Its connection ended before anything was written: it has not arrived. */
  onUnsent(): void
  /** Some of a body that is a stream has been sent. */
  onProgress(): void
  /** Names and values of trailers in turn. */
  onEnd(trailers: readonly string[]): void
  /** The upstream leaves HTTP, as it was asked to: the connection is the handler's from here on. */
  onUpgrade(head: ResponseHead, socket: Socket): void
  /** `error.code` is the system's, or one of {@link CALL_TIMEOUTS} and those of `malformed.ts`. */
  onError(error: Error): void
}

/** Timeouts by where they struck. */
export const CALL_TIMEOUTS = { connect: 'UPSTREAM_CONNECT_TIMEOUT', silence: 'UPSTREAM_SILENT' } as const

export function callTimedOut(phase: keyof typeof CALL_TIMEOUTS): Error {
  const message = phase === 'connect' ? 'the upstream takes no connection' : 'the upstream is silent'
  return Object.assign(new Error(message), { code: CALL_TIMEOUTS[phase] })
}

/** One request on its way: waiting for a connection, on one, or over. */
export class Call {
  readonly request: CallRequest
  readonly handler: CallHandler
  /** The one that carries it. */
  connection: Connection | undefined = undefined
  /** Takes it out of the queue. */
  readonly #withdraw: (call: Call) => void
  #isOver = false

  constructor(request: CallRequest, handler: CallHandler, withdraw: (call: Call) => void) {
    this.request = request
    this.handler = handler
    this.#withdraw = withdraw
  }

  get isOver(): boolean {
    return this.#isOver
  }

  get remoteAddress(): string | undefined {
    return this.connection?.remoteAddress
  }

  /** Gives it up, which costs its connection. The handler hears of it, unless the call is over. */
  abort(error: Error): void {
    if (this.#isOver) return
    this.#withdraw(this)
    const { connection } = this
    this.fail(error)
    connection?.destroy()
  }

  /** No more data until {@link resume}: what has been read already may yet come. */
  pause(): void {
    this.connection?.pause()
  }

  resume(): void {
    this.connection?.resume()
  }

  end(trailers: readonly string[]): void {
    this.#isOver = true
    this.connection = undefined
    try {
      this.handler.onEnd(trailers)
    } catch (error) {
      this.handler.onError(error as Error)
    }
  }

  upgrade(head: ResponseHead, socket: Socket): void {
    this.#isOver = true
    this.connection = undefined
    this.handler.onUpgrade(head, socket)
  }

  fail(error: Error): void {
    if (this.#isOver) return
    this.#isOver = true
    this.connection = undefined
    this.handler.onError(error)
  }
}
