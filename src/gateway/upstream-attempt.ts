import type { IncomingHttpHeaders, OutgoingHttpHeader } from 'node:http'
import { Readable } from 'node:stream'
import type { Dispatcher } from 'undici'
import { DISCARDED_BYTES_MAX } from './balancer/limits.ts'
import type { Selection } from './balancer/selection.ts'
import type { Exchange } from './exchange.ts'
import { failExchange } from './failure.ts'
import { REFUSED } from './http2-pool.ts'
import { PRECISE_TIMEOUT_MS_MAX, SMALL_RESPONSE_BYTES_MAX } from './limits.ts'
import { dispatchLocal } from './local-dispatch.ts'
import type { RemoteDestination } from './remote-destination.ts'
import { BodyStream, endToEndTrailers, type RequestBody, readBody } from './request-body.ts'
import type { LocalUpstream } from './upstream.ts'
import {
  CONNECTION_HEADERS,
  textsOf,
  type UpstreamConnections,
  type UpstreamFlow,
  type UpstreamHandler,
} from './upstream-connections.ts'
import { answerTo, codeOf, isTimeout, TIMEOUTS } from './upstream-failure.ts'

export type AttemptOptions = {
  readonly pool: UpstreamConnections
  readonly destination: RemoteDestination
  /** What is left for the answer to begin. */
  readonly timeoutMs: number
  /** Where else the request may go; undefined when its service has one place. */
  readonly selection?: Selection
  /** Connections to such a place. */
  readonly poolOf?: (destination: RemoteDestination) => UpstreamConnections
}

/**
 * Methods that may be sent again after a failure, because sending them twice is as sending them once. RFC 9110, 9.2.2.
 */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

type UpgradeParameters = Parameters<NonNullable<Dispatcher.DispatchHandler['onRequestUpgrade']>>

const EARLY_HINTS = 103

/**
 * One request to a service elsewhere, in as many attempts as it takes.
 *
 * An attempt goes: waiting for a connection → sent → answering → done, and may fail at each step. Waiting: nothing has
 * been sent, the next attempt may begin. Sent: only what has no body and is idempotent may. Answering: the client has
 * the head already, all that is left is to cut its connection, so that it cannot take a part for the whole. Where the
 * service has several places, each attempt may go to another, and an answer may be discarded for the sake of the next.
 */
export class UpstreamAttempts implements UpstreamHandler {
  readonly #exchange: Exchange
  readonly #options: AttemptOptions
  readonly #deadlineAtMs: number
  #pool: UpstreamConnections
  #body: RequestBody = null
  #controller: UpstreamFlow | undefined
  #attemptsLeft: number
  #sent = false
  #flowing = false
  /** Bytes of an answer that is to be asked for again; -1 while there is none. */
  #discardedBytes = -1
  /** Length of a response body that is expected whole, in one piece, and that piece. */
  #smallBytes = -1
  #small: Buffer | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(exchange: Exchange, options: AttemptOptions) {
    this.#exchange = exchange
    this.#options = options
    this.#pool = options.pool
    this.#attemptsLeft = options.destination.retries
    this.#deadlineAtMs = performance.now() + options.timeoutMs
  }

  start(): void {
    this.#exchange.onAbort = () => this.#abort()
    readBody(this.#exchange, this.#options.destination.writeTimeoutMs, (body) => {
      this.#body = body
      this.#dispatch()
    })
  }

  onRequestStart(controller: UpstreamFlow): void {
    this.#controller = controller
    this.#sent = true
    if (this.#isOver()) controller.abort(new Error('the client no longer waits'))
  }

  /**
   * A long upload is no silence: the wait for the answer begins when the last of it is sent. A deadline of the client
   * stays.
   */
  onBodySent(): void {
    if (this.#options.timeoutMs >= this.#options.destination.readTimeoutMs) this.#timer?.refresh()
  }

  onResponseStart(
    controller: UpstreamFlow,
    status: number,
    headers: IncomingHttpHeaders,
    statusMessage?: string,
  ): void {
    if (status < 200) {
      this.#passInterim(status, headers)
      return
    }
    clearTimeout(this.#timer)
    if (this.#isOver()) {
      controller.abort(new Error('the client no longer waits'))
      return
    }
    this.#options.selection?.answered(status)
    if (this.#isAskedAgain(status)) {
      this.#discardedBytes = 0
      return
    }
    const { response } = this.#exchange
    if (statusMessage) response.statusMessage = statusMessage
    response.writeHead(status, endToEndHeaders(headers))
    // An answer of unknown length may be a stream of events: its head must not wait for the first of them.
    const length = Number(headers['content-length'])
    if (length <= SMALL_RESPONSE_BYTES_MAX) this.#smallBytes = length
    if (Number.isNaN(length)) process.nextTick(() => this.#flushHead())
  }

  onResponseWhole(_flow: UpstreamFlow, status: number, headers: IncomingHttpHeaders): void {
    clearTimeout(this.#timer)
    if (this.#isOver()) return
    const { selection } = this.#options
    selection?.answered(status)
    if (this.#isAskedAgain(status)) {
      this.#askAgain()
      return
    }
    selection?.ended()
    this.#exchange.response.endWithHead(status, endToEndHeaders(headers))
  }

  onResponseData(controller: UpstreamFlow, chunk: Buffer): void {
    if (this.#discardedBytes >= 0) {
      this.#discard(controller, chunk)
      return
    }
    const { response } = this.#exchange
    if (!this.#flowing && chunk.length === this.#smallBytes) {
      this.#small = chunk
      return
    }
    this.#flowing = true
    if (response.write(chunk)) return
    controller.pause()
    this.#exchange.blockedAtMs = performance.now()
    response.once('drain', () => {
      this.#exchange.blockedAtMs = Number.POSITIVE_INFINITY
      controller.resume()
    })
  }

  onResponseEnd(_controller: UpstreamFlow, trailers: IncomingHttpHeaders): void {
    if (this.#discardedBytes >= 0) {
      this.#askAgain()
      return
    }
    const { response } = this.#exchange
    this.#options.selection?.ended()
    this.#flowing = true
    response.addTrailers(textsOf(trailers))
    // As Latin-1 text, which is any bytes, head and body go to the system as one text: the cheapest write there is.
    if (this.#small === undefined) response.end()
    else response.end(this.#small.toString('latin1'), 'latin1')
  }

  onResponseError(_controller: UpstreamFlow, error: Error): void {
    clearTimeout(this.#timer)
    const { selection } = this.#options
    if (this.#discardedBytes >= 0) {
      this.#askAgain()
      return
    }
    if (!this.#isOver()) selection?.failed(TIMEOUTS.has(codeOf(error)) ? 'timeout' : 'tcp-failure')
    selection?.ended()
    if (this.#isOver()) return
    if (this.#exchange.response.headersSent) this.#exchange.breakOff(502, answerTo(error).message)
    else if (!this.#mayRetry(error) || !this.#retry()) this.#giveUp(error)
  }

  #discard(controller: UpstreamFlow, chunk: Buffer): void {
    this.#discardedBytes += chunk.length
    if (this.#discardedBytes > DISCARDED_BYTES_MAX) controller.abort(new Error('too long to be read for nothing'))
  }

  #askAgain(): void {
    this.#discardedBytes = -1
    this.#options.selection?.ended()
    if (this.#isOver() || this.#retry()) return
    this.#exchange.exit(503, 'failure to get a peer from the ring-balancer')
  }

  #giveUp(error: Error): void {
    const { status, message } = answerTo(error)
    this.#exchange.exitForUpstream(status, message)
  }

  /** Begins the next attempt; false when there is no place for it. */
  #retry(): boolean {
    this.#attemptsLeft -= 1
    const { selection, poolOf } = this.#options
    if (selection !== undefined && poolOf !== undefined) {
      const address = selection.next()
      if (address === undefined) return false
      if (address.place.local !== undefined) return this.#retryHere(address.place.local, selection)
      this.#pool = poolOf(selection.destination.at(address))
    }
    this.#dispatch()
    return true
  }

  /** In this process, which must get the body although it has been read. */
  #retryHere(local: LocalUpstream, selection: Selection): boolean {
    if (this.#body instanceof Readable) {
      selection.ended()
      return false
    }
    const timeoutMs = this.#deadlineAtMs - performance.now()
    try {
      dispatchLocal(this.#exchange, local, { timeoutMs, selection, body: this.#body })
    } catch (error) {
      failExchange(this.#exchange, error)
    }
    return true
  }

  onRequestUpgrade(...[, , headers, socket]: UpgradeParameters): void {
    clearTimeout(this.#timer)
    const { upgrade } = this.#exchange
    if (this.#isOver() || upgrade === undefined) socket.destroy()
    else upgrade.join(this.#exchange, socket, { headers, idleMs: this.#options.destination.readTimeoutMs })
  }

  /** Hints are for the client; that the upstream continues is for us, and the client knows already. */
  #passInterim(status: number, { link }: IncomingHttpHeaders): void {
    const { request, response } = this.#exchange
    const understood = request.httpVersionMajor > 1 || request.httpVersionMinor > 0
    if (status === EARLY_HINTS && link !== undefined && understood && !this.#isOver()) {
      response.writeEarlyHints({ link: String(link) })
    }
  }

  #flushHead(): void {
    if (!this.#flowing && !this.#isOver()) this.#exchange.response.flushHeaders()
  }

  #dispatch(): void {
    if (this.#isOver()) return
    if (this.#body instanceof BodyStream) this.#body = this.#body.again()
    const leftMs = this.#deadlineAtMs - performance.now()
    if (leftMs <= 0) {
      this.#timeOut()
      return
    }
    const { request } = this.#exchange
    const { readTimeoutMs } = this.#options.destination
    this.#exchange.dispatchedAtMs ??= performance.now()
    if (leftMs < PRECISE_TIMEOUT_MS_MAX) this.#timer = setTimeout(() => this.#timeOut(), leftMs)
    this.#sent = false
    this.#pool.dispatch(
      {
        path: request.url ?? '/',
        method: (request.method ?? 'GET') as Dispatcher.HttpMethod,
        headers: framedHeaders(this.#exchange.headers),
        body: this.#body,
        trailers: () => endToEndTrailers(this.#exchange.request.trailers),
        headersTimeout: readTimeoutMs,
        bodyTimeout: readTimeoutMs,
        // Without this, undici closes the connection after every HEAD.
        reset: false,
        upgrade: this.#exchange.upgrade === undefined ? null : 'websocket',
      },
      this,
    )
  }

  #mayRetry(error: Error): boolean {
    if (this.#attemptsLeft === 0 || isTimeout(error) || this.#deadlineAtMs <= performance.now()) return false
    if (this.#body instanceof BodyStream && !this.#body.isRepeatable) return false
    if (!this.#sent || codeOf(error) === REFUSED) return true
    if (this.#body !== null || !IDEMPOTENT.has(this.#exchange.request.method ?? '')) return false
    return this.#options.selection?.mayRepeat() !== false
  }

  #isAskedAgain(status: number): boolean {
    const { selection } = this.#options
    if (selection === undefined || this.#attemptsLeft === 0 || this.#body instanceof Readable) return false
    return this.#deadlineAtMs > performance.now() && selection.retriesStatus(status) && selection.mayRepeat()
  }

  #timeOut(): void {
    if (this.#isOver() || this.#exchange.response.headersSent) return
    const { destination, selection, timeoutMs } = this.#options
    // A client with less patience than the service is given says nothing about the service.
    if (timeoutMs >= destination.readTimeoutMs) selection?.failed('timeout')
    this.#exchange.exitForUpstream(504, 'The upstream server is timing out')
    this.#abort()
  }

  #abort(): void {
    clearTimeout(this.#timer)
    this.#options.selection?.ended()
    this.#controller?.abort(new Error('the client no longer waits'))
    if (this.#body instanceof Readable) this.#body.destroy()
  }

  #isOver(): boolean {
    return this.#exchange.closed || this.#exchange.exited
  }
}

/** As undici wants them: it frames the message by itself, and refuses `expect`, which Node has answered already. */
function framedHeaders(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  if (headers['transfer-encoding'] !== undefined) delete headers['transfer-encoding']
  if (headers.expect !== undefined) delete headers.expect
  return headers
}

/** Names and values in turn, without those of the connection. */
function endToEndHeaders(headers: IncomingHttpHeaders): OutgoingHttpHeader[] {
  const named = headers.connection?.toLowerCase().split(',')
  const kept: OutgoingHttpHeader[] = []
  for (const name in headers) {
    const value = headers[name]
    if (
      value === undefined ||
      CONNECTION_HEADERS.has(name) ||
      name === ':status' ||
      named?.some((token) => token.trim() === name)
    )
      continue
    kept.push(name, value)
  }
  return kept
}
