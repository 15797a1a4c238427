import type { Socket } from 'node:net'
import {
  PRECISE_TIMEOUT_MS_MAX,
  UPSTREAM_IDLE_MARGIN_MS,
  UPSTREAM_IDLE_MS,
  UPSTREAM_SMALL_BODY_BYTES_MAX,
} from '../limits.ts'
import { type Deferred, defer } from '../turn.ts'
import { sendBody } from './body-sender.ts'
import { type Call, callTimedOut } from './call.ts'
import { endOfChunks, isChunked, requestText } from './request-text.ts'
import type { ResponseHead } from './response-head.ts'
import { ResponseReader, type ResponseSink } from './response-reader.ts'
import { holdWriteFailures } from './write-failure.ts'

/** Who lends a connection out. */
export type ConnectionOwner = {
  /** It can take the next call. */
  onFree(connection: Connection): void
  /** It cannot any more, or is no longer the owner's. */
  onGone(connection: Connection): void
}

/**
 * One connection to an upstream, which carries one call at a time.
 *
 *     free ─run→ busy ─answer read, request sent, both sides keep the connection→ free
 *     busy ─anything else→ gone;  free ─any byte, or the end→ gone
 *
 * Bytes that nobody asked for end it: they would be taken for the answer to the next request.
 */
export class Connection implements ResponseSink, Deferred {
  readonly #socket: Socket
  readonly #owner: ConnectionOwner
  readonly #reader = new ResponseReader(this)
  #call: Call | undefined
  #head: ResponseHead | undefined
  #stopSending: (() => void) | undefined
  /** Of a call with a stream for a body. */
  #releaseFailures: (() => void) | undefined
  /** The upstream takes no more, though it may have answered. */
  #writeFailure: Error | undefined
  /** A request that is written at the end of this turn. */
  #unwritten: string | undefined
  #isPaused = false
  #isGone = false
  #silenceMs = 0
  /** When the last byte of a call went in or out, on the clock of `performance.now()`. */
  #activeAtMs = 0
  /** Until when it may wait for its next call, on the clock of `performance.now()`. */
  idleUntilMs = Number.POSITIVE_INFINITY

  /** `socket` is connected, and hands what it reads to {@link receive}. */
  constructor(socket: Socket, owner: ConnectionOwner) {
    this.#socket = socket
    this.#owner = owner
    socket.on('timeout', this.#onSilence).on('error', this.fail).on('end', this.#onEnd).on('close', this.#onClose)
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  get remoteAddress(): string | undefined {
    return this.#socket.remoteAddress
  }

  run(call: Call): void {
    const { request, handler } = call
    const { body } = request
    this.#call = call
    this.#head = undefined
    call.connection = this
    this.#beginSilence(request.silenceMs)
    try {
      const head = requestText(request)
      handler.onSent()
      if (this.#call !== call) return
      this.#reader.expect(request.method, request.upgrades)
      if (body === null) this.#writeLater(head)
      else if (Buffer.isBuffer(body)) this.#writeWhole(head, body)
      else this.#writeStream(head, call)
    } catch (error) {
      // Nothing has been written, so the connection could go on; it does not happen often enough to be worth a state.
      this.fail(error as Error)
    }
  }

  receive(bytes: Buffer): void {
    const call = this.#call
    if (call === undefined) {
      this.destroy()
      return
    }
    this.#activeAtMs = performance.now()
    try {
      const used = this.#reader.read(bytes)
      if (this.#call !== call) return
      if (this.#reader.isSwitched) this.#leave(call, bytes.subarray(used))
      else if (this.#reader.isComplete) this.#finish(call, used === bytes.length)
    } catch (error) {
      this.fail(error as Error)
    }
  }

  onHead(head: ResponseHead): void {
    this.#head = head
    if (!this.#reader.isSwitched) this.#call?.handler.onHead(head)
  }

  onData(data: Buffer): void {
    this.#call?.handler.onData(data)
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#windUp()
    this.#socket.resume()
  }

  /** Ends it when nobody has needed it for too long, or when it has been silent for too long. To be called often. */
  check(nowMs: number): void {
    if (this.#call === undefined) {
      if (nowMs >= this.idleUntilMs) this.destroy()
    } else if (!this.#isTimed && nowMs - this.#activeAtMs >= this.#silenceMs) {
      this.#onSilence()
    }
  }

  destroy(): void {
    this.#goAway()
    this.#socket.destroy()
  }

  /** Ends it, and what it carries fails. */
  readonly fail = (error: Error): void => {
    const call = this.#call
    if (this.#unwritten !== undefined) call?.handler.onUnsent()
    this.destroy()
    call?.fail(error)
  }

  #writeLater(text: string): void {
    this.#unwritten = text
    defer(this)
  }

  /** The connection may have ended meanwhile. */
  runDeferred(): void {
    const text = this.#unwritten
    this.#unwritten = undefined
    if (text !== undefined && !this.#isGone) this.#socket.write(text, 'latin1')
  }

  /** Head and body in one write: as text where that is short, for one text is the cheapest write there is. */
  #writeWhole(head: string, body: Buffer): void {
    if (body.length <= UPSTREAM_SMALL_BODY_BYTES_MAX) {
      this.#writeLater(head + body.toString('latin1'))
      return
    }
    this.#socket.cork()
    this.#socket.write(head, 'latin1')
    this.#socket.write(body)
    this.#socket.uncork()
  }

  #writeStream(head: string, call: Call): void {
    const { body, headers, trailers } = call.request
    if (body === null || Buffer.isBuffer(body)) return
    this.#releaseFailures = holdWriteFailures(this.#socket, this.#onWriteFailure)
    this.#socket.write(head, 'latin1')
    this.#stopSending = sendBody(body, this.#socket, {
      length: isChunked(call.request) ? undefined : Number(headers['content-length']),
      endOfChunks: () => endOfChunks(trailers?.() ?? {}),
      onProgress: () => {
        this.#activeAtMs = performance.now()
        call.handler.onProgress()
      },
      onDone: () => {
        this.#stopSending = undefined
      },
      onError: (error) => this.fail(error),
    })
  }

  /** `isClean`: nothing came behind the answer. */
  #finish(call: Call, isClean: boolean): void {
    const { trailers } = this.#reader
    const isSent = this.#stopSending === undefined && this.#writeFailure === undefined
    const isReusable = isClean && isSent && this.#head?.keepsAlive === true
    this.#call = undefined
    this.#releaseFailures?.()
    this.#releaseFailures = undefined
    this.#reader.stop()
    if (!isReusable) this.destroy()
    call.end(trailers)
    if (!isReusable || this.#isGone) return
    this.resume()
    this.idleUntilMs = performance.now() + idleMsOf(this.#head)
    this.#owner.onFree(this)
  }

  /** The connection is no longer about HTTP, and not ours. */
  #leave(call: Call, rest: Buffer): void {
    const head = this.#head
    if (head === undefined) return
    this.#call = undefined
    this.#goAway()
    this.#socket.off('timeout', this.#onSilence).off('error', this.fail).off('end', this.#onEnd)
    this.#socket.off('close', this.#onClose).removeAllListeners('data').setTimeout(0)
    this.#socket.pause()
    // A copy: the bytes are in a buffer that is read into again.
    if (rest.length > 0) this.#socket.unshift(Buffer.from(rest))
    call.upgrade(head, this.#socket)
  }

  readonly #onEnd = (): void => {
    const call = this.#call
    // After a reset, an end says nothing: what only the end would complete may be a part.
    const mayEnd = this.#writeFailure === undefined
    if (call !== undefined && mayEnd && this.#reader.end()) this.#finish(call, false)
    else this.fail(this.#writeFailure ?? connectionLost())
  }

  readonly #onWriteFailure = (error: Error): void => {
    this.#writeFailure ??= error
    this.#stopSending?.()
    this.#stopSending = undefined
  }

  readonly #onClose = (): void => this.fail(connectionLost())

  #goAway(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#reader.stop()
    this.#stopSending?.()
    this.#stopSending = undefined
    this.#call = undefined
    this.#owner.onGone(this)
  }

  #beginSilence(silenceMs: number): void {
    this.#activeAtMs = performance.now()
    if (silenceMs === this.#silenceMs) return
    this.#silenceMs = silenceMs
    this.#socket.setTimeout(this.#isTimed ? silenceMs : 0)
  }

  /**
   * Whether Node's timer of the socket, which every byte in and out winds up again, bounds the silence: a fiftieth of a
   * request. A long one may last a second longer, until it is noticed by a check.
   */
  get #isTimed(): boolean {
    return this.#silenceMs < PRECISE_TIMEOUT_MS_MAX
  }

  #windUp(): void {
    this.#activeAtMs = performance.now()
    if (this.#isTimed) this.#socket.setTimeout(this.#silenceMs)
  }

  readonly #onSilence = (): void => {
    // It may be the client who is slow, in reading or in sending: then the upstream is waited for all the same.
    const isUploading = this.#stopSending !== undefined && !this.#socket.writableNeedDrain
    if (this.#call === undefined || this.#isPaused) return
    if (isUploading) this.#windUp()
    else this.fail(callTimedOut('silence'))
  }
}

function connectionLost(): Error {
  return Object.assign(new Error('the upstream closed the connection'), { code: 'ECONNRESET' })
}

/** An upstream that says how long it keeps a connection is believed, less the time of a request on its way. */
function idleMsOf(head: ResponseHead | undefined): number {
  const seconds = head?.idleSeconds
  if (seconds === undefined) return UPSTREAM_IDLE_MS
  return Math.min(UPSTREAM_IDLE_MS, Math.max(0, seconds * 1_000 - UPSTREAM_IDLE_MARGIN_MS))
}
