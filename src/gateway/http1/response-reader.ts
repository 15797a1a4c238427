import { INTERIM_RESPONSES_MAX, RESPONSE_HEAD_BYTES_MAX } from '../limits.ts'
import { ChunkedBody } from './chunked-body.ts'
import { MalformedResponse } from './malformed.ts'
import { type Framing, type ResponseHead, readResponseHead } from './response-head.ts'

/** Who gets what a reader finds. Data is the reader's own: it must be copied to be kept. */
export type ResponseSink = {
  /** Of the answer, or of an interim one (1xx), which others follow. */
  onHead(head: ResponseHead): void
  onData(data: Buffer): void
}

/**
 * Finds one response in the bytes of a connection: up to {@link INTERIM_RESPONSES_MAX} interim heads,
 * the head, the body.
 *
 *     nothing ─expect→ head ─1xx→ head
 *     head ─status→ body ─its end→ complete ─expect→ head
 *     head ─101, if it was asked for→ switched
 */
export class ResponseReader {
  readonly #sink: ResponseSink
  #state: 'nothing' | 'head' | 'body' | 'complete' | 'switched' = 'nothing'
  #method = ''
  #maySwitch = false
  /** Of a head of which only a part has come. */
  #pending = ''
  #interimCount = 0
  #framing: Framing = 0
  #left = 0
  #chunks: ChunkedBody | undefined

  constructor(sink: ResponseSink) {
    this.#sink = sink
  }

  get isComplete(): boolean {
    return this.#state === 'complete'
  }

  /** What follows is no HTTP any more. */
  get isSwitched(): boolean {
    return this.#state === 'switched'
  }

  /** Names, in lower case, and values in turn. */
  get trailers(): readonly string[] {
    return this.#chunks?.trailers ?? NONE
  }

  /** The next bytes answer a request with this method. */
  expect(method: string, maySwitch: boolean): void {
    this.#state = 'head'
    this.#method = method
    this.#maySwitch = maySwitch
    this.#pending = ''
    this.#interimCount = 0
    this.#chunks = undefined
  }

  /** Nobody waits for the rest. */
  stop(): void {
    this.#state = 'nothing'
  }

  /**
   * Reads on; answers how many bytes belonged to the response. Throws {@link MalformedResponse}, and what the sink
   * throws.
   */
  read(bytes: Buffer): number {
    let at = 0
    while (at < bytes.length) {
      if (this.#state === 'head') at = this.#readHead(bytes, at)
      else if (this.#state === 'body') at = this.#readBody(bytes, at)
      else break
    }
    return at
  }

  /** The connection has ended: true when that is how the response ends. */
  end(): boolean {
    if (this.#state === 'body' && this.#framing === 'until-close') this.#state = 'complete'
    return this.#state === 'complete'
  }

  #readHead(bytes: Buffer, start: number): number {
    const before = this.#pending.length
    // Most heads are short, and a body may follow: the first look takes only so much.
    let text = this.#pending + bytes.toString('latin1', start, Math.min(bytes.length, start + HEAD_LOOK_BYTES))
    let end = text.indexOf('\r\n\r\n', Math.max(0, before - 3))
    if (end < 0 && bytes.length - start > HEAD_LOOK_BYTES) {
      text += bytes.toString('latin1', start + HEAD_LOOK_BYTES)
      end = text.indexOf('\r\n\r\n', Math.max(0, before - 3))
    }
    if ((end < 0 ? text.length : end) > RESPONSE_HEAD_BYTES_MAX) throw new MalformedResponse('the head is too long')
    if (end < 0) {
      this.#pending = text
      return bytes.length
    }
    this.#pending = ''
    this.#begin(readResponseHead(text.slice(0, end + 2), this.#method))
    return start + end + 4 - before
  }

  #begin(head: ResponseHead): void {
    const { status, framing } = head
    if (status === SWITCHING_PROTOCOLS && !this.#maySwitch) throw new MalformedResponse('nobody asked to switch')
    if (status === SWITCHING_PROTOCOLS) this.#state = 'switched'
    else if (status >= 200) this.#beginBody(framing)
    else this.#takeInterim(head)
    this.#sink.onHead(head)
  }

  /** Each is bytes, and so ends the silence that a call waits for: without a bound they could go on for ever. */
  #takeInterim({ keepsAlive }: ResponseHead): void {
    if (!keepsAlive)
      throw new MalformedResponse('an interim answer says that the connection ends, and others must follow')
    this.#interimCount += 1
    if (this.#interimCount > INTERIM_RESPONSES_MAX) throw new MalformedResponse('the interim answers do not end')
  }

  #beginBody(framing: Framing): void {
    this.#framing = framing
    this.#left = typeof framing === 'number' ? framing : 0
    if (framing === 'chunked') this.#chunks = new ChunkedBody()
    this.#state = framing === 0 ? 'complete' : 'body'
  }

  #readBody(bytes: Buffer, start: number): number {
    if (this.#chunks !== undefined) {
      const at = this.#chunks.read(bytes, start, (data) => this.#sink.onData(data))
      if (this.#chunks.isDone && this.#state === 'body') this.#state = 'complete'
      return at
    }
    if (this.#framing === 'until-close') {
      this.#sink.onData(start === 0 ? bytes : bytes.subarray(start))
      return bytes.length
    }
    const end = Math.min(bytes.length, start + this.#left)
    this.#left -= end - start
    if (this.#left === 0) this.#state = 'complete'
    this.#sink.onData(bytes.subarray(start, end))
    return end
  }
}

const NONE: readonly string[] = []
const SWITCHING_PROTOCOLS = 101
const HEAD_LOOK_BYTES = 2_048
