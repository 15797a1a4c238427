import type { Socket } from 'node:net'
import { Readable } from 'node:stream'
import { beginAttemptAt, failAttempt } from './attempts.ts'
import { DISCARDED_BYTES_MAX, DISCARDED_MS_MAX } from './balancer/limits.ts'
import type { Selection } from './balancer/selection.ts'
import type { Exchange } from './exchange.ts'
import { failExchange } from './failure.ts'
import { type CallHandler, callTimedOut } from './http1/call.ts'
import { UnwritableRequest } from './http1/malformed.ts'
import type { RequestBody } from './http1/request-text.ts'
import type { ResponseHead } from './http1/response-head.ts'
import { REFUSED } from './http2-pool.ts'
import { PRECISE_TIMEOUT_MS_MAX, SMALL_RESPONSE_BYTES_MAX } from './limits.ts'
import { dispatchLocal } from './local-dispatch.ts'
import type { RemoteDestination } from './remote-destination.ts'
import { BodyStream, endToEndTrailers, readBody } from './request-body.ts'
import type { LocalUpstream } from './upstream.ts'
import { CONNECTION_HEADERS, type UpstreamCall, type UpstreamConnections } from './upstream-connections.ts'
import { answerTo, codeOf, isTimeout, ownFailure, TIMEOUTS, tellFailure } from './upstream-failure.ts'

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

const EARLY_HINTS = 103

/**
 * One request to a service elsewhere, in as many attempts as it takes.
 *
 * An attempt goes: waiting for a connection → sent → answering → done, and may fail at each step. Waiting: nothing has
 * been sent, the next attempt may begin. Sent: only what has no body and is idempotent may. Answering: the client has
 * the head already, all that is left is to cut its connection, so that it cannot take a part for the whole. Where the
 * service has several places, each attempt may go to another, and an answer may be discarded for the sake of the next.
 */
export class UpstreamAttempts implements CallHandler {
  readonly #exchange: Exchange
  readonly #options: AttemptOptions
  readonly #deadlineAtMs: number
  #pool: UpstreamConnections
  #body: RequestBody = null
  #call: UpstreamCall | undefined
  #attemptsLeft: number
  #sent = false
  #flowing = false
  /** The client has to read first. */
  #isBlocked = false
  /** Bytes of an answer that is to be asked for again; -1 while there is none. */
  #discardedBytes = -1
  /** Length of a response body that is expected whole, in one piece, and that piece. */
  #smallBytes = -1
  #small: string | undefined
  /** A head that nothing follows. */
  #whole: { readonly status: number; readonly headers: string[] } | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(exchange: Exchange, options: AttemptOptions) {
    this.#exchange = exchange
    this.#options = options
    this.#pool = options.pool
    this.#attemptsLeft = options.destination.retries
    this.#deadlineAtMs = performance.now() + options.timeoutMs
  }

  start(): void {
    this.#exchange.upstreamWork = this
    readBody(this.#exchange, this.#options.destination.writeTimeoutMs, (body) => {
      this.#body = body
      this.#dispatch()
    })
  }

  onSent(): void {
    this.#sent = true
  }

  onUnsent(): void {
    this.#sent = false
  }

  /**
   * A long upload is no silence: the wait for the answer begins when the last of it is sent. A deadline of the client
   * stays.
   */
  onProgress(): void {
    if (this.#options.timeoutMs >= this.#options.destination.readTimeoutMs) this.#timer?.refresh()
  }

  onHead(head: ResponseHead): void {
    const { status, reason, headers, framing } = head
    if (status < 200) {
      this.#passInterim(status, headers)
      return
    }
    clearTimeout(this.#timer)
    this.#options.selection?.answered(status)
    this.#nameAddress()
    if (this.#isAskedAgain(status)) {
      failAttempt(this.#exchange, status)
      this.#discardedBytes = 0
      const leftMs = Math.min(DISCARDED_MS_MAX, this.#deadlineAtMs - performance.now())
      this.#timer = setTimeout(() => this.#stopDiscarding(), leftMs)
      return
    }
    const { response } = this.#exchange
    if (reason !== '') response.statusMessage = reason
    if (framing === 0) {
      // The head is all there is, and goes out as such: gRPC's clients tell the difference.
      this.#whole = { status, headers: endToEndHeaders(head) }
      return
    }
    response.writeHead(status, endToEndHeaders(head))
    // An answer of unknown length may be a stream of events: its head must not wait for the first of them.
    if (typeof framing !== 'number') process.nextTick(() => this.#flushHead())
    else if (framing <= SMALL_RESPONSE_BYTES_MAX) this.#smallBytes = framing
  }

  onData(data: Buffer): void {
    if (this.#discardedBytes >= 0) {
      this.#discard(data)
      return
    }
    const { response } = this.#exchange
    if (!this.#flowing && data.length === this.#smallBytes) {
      // As Latin-1 text, which is any bytes, head and body go to the system as one text: the cheapest write there is.
      this.#small = data.toString('latin1')
      return
    }
    this.#flowing = true
    // A copy: the connection reads on into the same buffer.
    if (response.write(Buffer.from(data))) return
    const call = this.#call
    // What had been read already may still come: one listener is enough for all of it.
    if (call === undefined || this.#isBlocked) return
    this.#isBlocked = true
    call.pause()
    this.#exchange.blockedAtMs = performance.now()
    response.once('drain', () => {
      this.#isBlocked = false
      this.#exchange.blockedAtMs = Number.POSITIVE_INFINITY
      call.resume()
    })
  }

  onEnd(trailers: readonly string[]): void {
    if (this.#discardedBytes >= 0) {
      this.#askAgain()
      return
    }
    const { response } = this.#exchange
    this.#options.selection?.ended()
    this.#call = undefined
    this.#flowing = true
    this.#dropBody()
    if (this.#whole !== undefined) {
      response.endWithHead(this.#whole.status, this.#whole.headers)
      return
    }
    if (trailers.length > 0) response.addTrailers(trailersOf(trailers))
    if (this.#small === undefined) response.end()
    else response.end(this.#small, 'latin1')
  }

  onUpgrade(head: ResponseHead, socket: Socket): void {
    clearTimeout(this.#timer)
    const { upgrade } = this.#exchange
    if (this.#isOver() || upgrade === undefined) socket.destroy()
    else {
      const idleMs = this.#options.destination.readTimeoutMs
      upgrade.join(this.#exchange, socket, { headers: endToEndHeaders(head), idleMs })
    }
  }

  onError(error: Error): void {
    clearTimeout(this.#timer)
    const { selection } = this.#options
    if (this.#discardedBytes >= 0) {
      this.#askAgain()
      return
    }
    const isOurs = error instanceof UnwritableRequest
    if (!this.#isOver() && !isOurs) selection?.failed(TIMEOUTS.has(codeOf(error)) ? 'timeout' : 'tcp-failure')
    selection?.ended()
    if (this.#isOver()) return
    if (isOurs) {
      this.#dropBody()
      failExchange(this.#exchange, error)
      return
    }
    failAttempt(this.#exchange, answerTo(error).status)
    if (this.#exchange.response.headersSent) this.#breakOff(error)
    else if (!this.#mayRetry(error) || !this.#retry()) this.#giveUp(error)
  }

  #discard(data: Buffer): void {
    this.#discardedBytes += data.length
    if (this.#discardedBytes > DISCARDED_BYTES_MAX) this.#stopDiscarding()
  }

  /** What is aborted fails, and so is asked for again. */
  #stopDiscarding(): void {
    this.#call?.abort(new Error('too long to be read for nothing'))
  }

  #askAgain(): void {
    clearTimeout(this.#timer)
    this.#discardedBytes = -1
    this.#options.selection?.ended()
    if (this.#isOver() || this.#retry()) return
    this.#tell(503, ownFailure('UPSTREAM_NONE_LEFT'))
    this.#exchange.exit(503, 'failure to get a peer from the ring-balancer')
  }

  #breakOff(error: Error): void {
    this.#tell(502, error)
    this.#exchange.breakOff(502, answerTo(error).message)
  }

  #giveUp(error: Error): void {
    this.#dropBody()
    const { status, message } = answerTo(error)
    this.#tell(status, error)
    // Kong looks a name up before nginx is asked to proxy, and answers its failure itself.
    if (status === 503) this.#exchange.exit(status, message)
    else this.#exchange.exitForUpstream(status, message)
  }

  #tell(status: number, error: Error): void {
    const { destination, selection } = this.#options
    tellFailure(this.#exchange, { upstream: selection?.asked?.name ?? destination.origin, status, error })
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

  /** Hints are for the client; that the upstream continues is for us, and the client knows already. */
  #passInterim(status: number, headers: readonly string[]): void {
    if (status !== EARLY_HINTS) return
    const { request, response } = this.#exchange
    const understood = request.httpVersionMajor > 1 || request.httpVersionMinor > 0
    const link = headers.filter((_, index) => index % 2 === 1 && headers[index - 1] === 'link').join(', ')
    if (link !== '' && understood) response.writeEarlyHints({ link })
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
    if (this.#options.selection === undefined) beginAttemptAt(this.#exchange, this.#options.destination.origin)
    clearTimeout(this.#timer)
    this.#sent = false
    const call = this.#pool.send(
      {
        path: request.url ?? '/',
        method: request.method ?? 'GET',
        headers: this.#exchange.headers,
        body: this.#body,
        trailers: () => endToEndTrailers(request.trailers),
        silenceMs: readTimeoutMs,
        upgrades: this.#exchange.upgrade !== undefined,
      },
      this,
    )
    // It may have failed at once, and the next attempt be under way.
    if (call.isOver) return
    this.#call = call
    // Silence bounds the wait for an answer as well, at less cost, but for no less than the service's own timeout.
    const isBoundBySilence = this.#sent && this.#options.timeoutMs >= readTimeoutMs && leftMs >= PRECISE_TIMEOUT_MS_MAX
    if (!isBoundBySilence) this.#timer = setTimeout(() => this.#timeOut(), leftMs)
  }

  /** Of a service with a name, whose address is known to its connection only. */
  #nameAddress(): void {
    const { attempts } = this.#exchange
    if (attempts === undefined || this.#options.selection !== undefined) return
    const [last, ip] = [attempts.at(-1), this.#call?.remoteAddress]
    if (last !== undefined && ip !== undefined) last.ip = ip
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
    const isItsOwn = timeoutMs >= destination.readTimeoutMs
    if (isItsOwn) selection?.failed('timeout')
    failAttempt(this.#exchange, 504)
    this.#tell(504, isItsOwn ? callTimedOut('silence') : ownFailure('CLIENT_DEADLINE'))
    this.#exchange.exitForUpstream(504, 'The upstream server is timing out')
    this.abort()
  }

  /** The client has left. */
  abort(): void {
    clearTimeout(this.#timer)
    this.#options.selection?.ended()
    this.#call?.abort(new Error('the client no longer waits'))
    this.#dropBody()
  }

  /** What is left of it is for nobody. */
  #dropBody(): void {
    if (this.#body instanceof Readable) this.#body.destroy()
  }

  #isOver(): boolean {
    return this.#exchange.closed || this.#exchange.exited
  }
}

/** Names, which are in lower case, and values in turn, without those of the connection. */
function endToEndHeaders({ status, headers }: ResponseHead): string[] {
  const named = namedByConnection(headers)
  const kept: string[] = []
  for (let index = 0; index < headers.length; index += 2) {
    const name = headers[index] as string
    // An answer that cannot have a body must not announce one. Source: RFC 9110, 8.6.
    if (CONNECTION_HEADERS.has(name) || (status === 204 && name === 'content-length')) continue
    if (!named?.includes(name)) kept.push(name, headers[index + 1] as string)
  }
  return kept
}

/** What frames a message or is about its connection has no place in trailers. Source: RFC 9110, 6.5.1. */
const NOT_IN_TRAILERS = new Set([...CONNECTION_HEADERS, 'content-length', 'host', 'te', 'trailer'])

/** Further headers that `Connection` says are about it; undefined for none, which is usual. */
function namedByConnection(headers: readonly string[]): readonly string[] | undefined {
  let named: string[] | undefined
  for (let index = 0; index < headers.length; index += 2) {
    if (headers[index] !== 'connection') continue
    const list = headers[index + 1] as string
    if (list === 'keep-alive' || list === 'close') continue
    named = [...(named ?? []), ...list.split(',').map((token) => token.trim().toLowerCase())]
  }
  return named
}

/**
 * One text of each name, from names and values in turn. All in one object: Node forgets what an earlier call said, and
 * a response over HTTP/2 takes no list.
 */
function trailersOf(pairs: readonly string[]): Record<string, string> {
  const fields: Record<string, string> = Object.create(null)
  for (let index = 0; index < pairs.length; index += 2) {
    const [name, value] = [pairs[index] as string, pairs[index + 1] as string]
    if (NOT_IN_TRAILERS.has(name)) continue
    fields[name] = fields[name] === undefined ? value : `${fields[name]}, ${value}`
  }
  return fields
}
