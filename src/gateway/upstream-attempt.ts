import type { IncomingHttpHeaders, OutgoingHttpHeader } from 'node:http'
import { Readable } from 'node:stream'
import type { Dispatcher, Pool } from 'undici'
import type { Exchange } from './exchange.ts'
import { PRECISE_TIMEOUT_MS_MAX, SMALL_RESPONSE_BYTES_MAX } from './limits.ts'
import type { RemoteDestination } from './proxy.ts'
import { type RequestBody, readBody } from './request-body.ts'

export type AttemptOptions = {
  readonly pool: Pool
  readonly destination: RemoteDestination
  /** What is left for the answer to begin. */
  readonly timeoutMs: number
}

/**
 * Methods that may be sent again after a failure, because sending them twice is as sending them once. RFC 9110, 9.2.2.
 */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

type UpgradeParameters = Parameters<NonNullable<Dispatcher.DispatchHandler['onRequestUpgrade']>>

const EARLY_HINTS = 103

/** Response headers that are about the upstream's connection. Node frames the message to the client by itself. */
const CONNECTION_HEADERS = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

/**
 * One request to a service elsewhere, in as many attempts as it takes.
 *
 * An attempt goes: waiting for a connection → sent → answering → done, and may fail at each step. Waiting: nothing has
 * been sent, the next attempt may begin. Sent: only what has no body and is idempotent may. Answering: the client has
 * the head already, all that is left is to cut its connection, so that it cannot take a part for the whole.
 */
export class UpstreamAttempts implements Dispatcher.DispatchHandler {
  readonly #exchange: Exchange
  readonly #options: AttemptOptions
  readonly #deadlineAtMs: number
  #body: RequestBody = null
  #controller: Dispatcher.DispatchController | undefined
  #attemptsLeft: number
  #sent = false
  #flowing = false
  /** Length of a response body that is expected whole, in one piece, and that piece. */
  #smallBytes = -1
  #small: Buffer | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(exchange: Exchange, options: AttemptOptions) {
    this.#exchange = exchange
    this.#options = options
    this.#attemptsLeft = options.destination.retries
    this.#deadlineAtMs = performance.now() + options.timeoutMs
  }

  start(): void {
    this.#exchange.onAbort = () => this.#abort()
    readBody(this.#exchange.request, (body) => {
      this.#body = body
      this.#dispatch()
    })
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
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
    controller: Dispatcher.DispatchController,
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
    const { response } = this.#exchange
    if (statusMessage) response.statusMessage = statusMessage
    response.writeHead(status, endToEndHeaders(headers))
    // An answer of unknown length may be a stream of events: its head must not wait for the first of them.
    const length = Number(headers['content-length'])
    if (length <= SMALL_RESPONSE_BYTES_MAX) this.#smallBytes = length
    if (Number.isNaN(length)) process.nextTick(() => this.#flushHead())
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { response } = this.#exchange
    if (!this.#flowing && chunk.length === this.#smallBytes) {
      this.#small = chunk
      return
    }
    this.#flowing = true
    if (response.write(chunk)) return
    controller.pause()
    response.once('drain', () => controller.resume())
  }

  onResponseEnd(_controller: Dispatcher.DispatchController, trailers: IncomingHttpHeaders): void {
    const { response } = this.#exchange
    this.#flowing = true
    for (const name in trailers) response.addTrailers({ [name]: String(trailers[name]) })
    // As Latin-1 text, which is any bytes, head and body go to the system as one text: the cheapest write there is.
    if (this.#small === undefined) response.end()
    else response.end(this.#small.toString('latin1'), 'latin1')
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    clearTimeout(this.#timer)
    if (this.#isOver()) return
    if (this.#exchange.response.headersSent) {
      this.#exchange.response.destroy()
    } else if (this.#mayRetry(error)) {
      this.#attemptsLeft -= 1
      this.#dispatch()
    } else {
      const { status, message } = answerTo(error)
      this.#exchange.exitForUpstream(status, message)
    }
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
    this.#options.pool.dispatch(
      {
        path: request.url ?? '/',
        method: (request.method ?? 'GET') as Dispatcher.HttpMethod,
        headers: framedHeaders(this.#exchange.headers),
        body: this.#body,
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
    if (this.#body instanceof Readable && (this.#body.readableDidRead || this.#body.destroyed)) return false
    if (!this.#sent) return true
    return this.#body === null && IDEMPOTENT.has(this.#exchange.request.method ?? '')
  }

  #timeOut(): void {
    if (this.#isOver() || this.#exchange.response.headersSent) return
    this.#exchange.exitForUpstream(504, 'The upstream server is timing out')
    this.#abort()
  }

  #abort(): void {
    clearTimeout(this.#timer)
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
    if (value === undefined || CONNECTION_HEADERS.has(name) || named?.some((token) => token.trim() === name)) continue
    kept.push(name, value)
  }
  return kept
}

const TIMEOUTS = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'ETIMEDOUT'])
const NAME_FAILURES = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'EAI_NODATA', 'EAI_NONAME'])

function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException
  if (code !== undefined || !(error instanceof AggregateError)) return code ?? ''
  return codeOf(error.errors[0] ?? new Error())
}

/** An upstream that did not answer in time is not asked again: its client has waited long enough. */
function isTimeout(error: Error): boolean {
  return codeOf(error) === 'UND_ERR_HEADERS_TIMEOUT'
}

/** Kong's answers to what can go wrong with an upstream. */
function answerTo(error: Error): { readonly status: number; readonly message: string } {
  const code = codeOf(error)
  if (TIMEOUTS.has(code)) return { status: 504, message: 'The upstream server is timing out' }
  if (NAME_FAILURES.has(code)) return { status: 503, message: 'name resolution failed' }
  return { status: 502, message: 'An invalid response was received from the upstream server' }
}
