import { RESPONSE_HEAD_BYTES_MAX } from '../limits.ts'
import { MalformedResponse } from './malformed.ts'
import { readFields } from './response-head.ts'

/**
 * A body in chunks: a size in hex digits and perhaps extensions, CR LF, so many bytes, CR LF; at the end a size of
 * zero, trailer lines, an empty line. Source: RFC 9112, section 7.1.
 *
 *     size ─n→ data ─n bytes→ data-end ─CR LF→ size
 *     size ─0→ trailers ─empty line→ done
 */
export class ChunkedBody {
  #state: 'size' | 'data' | 'data-end' | 'trailers' | 'done' = 'size'
  #left = 0
  /** A line, or trailers, of which only a part has come. */
  #pending = ''
  #trailers: readonly string[] = []

  get isDone(): boolean {
    return this.#state === 'done'
  }

  /** Names, in lower case, and values in turn. */
  get trailers(): readonly string[] {
    return this.#trailers
  }

  /**
   * Takes bytes from `start`, and hands on those of the body. Answers where it stopped: at the end of the bytes, or
   * behind the body. Throws {@link MalformedResponse}.
   */
  read(bytes: Buffer, start: number, take: (data: Buffer) => void): number {
    let at = start
    while (at < bytes.length && this.#state !== 'done') {
      at = this.#state === 'data' ? this.#readData(bytes, at, take) : this.#readText(bytes, at)
    }
    return at
  }

  #readData(bytes: Buffer, start: number, take: (data: Buffer) => void): number {
    const end = Math.min(bytes.length, start + this.#left)
    this.#left -= end - start
    if (this.#left === 0) this.#state = 'data-end'
    take(bytes.subarray(start, end))
    return end
  }

  /** Sizes and trailers are short: they are looked at as text, one line at a time. */
  #readText(bytes: Buffer, start: number): number {
    const newline = bytes.indexOf(NEWLINE, start)
    const end = newline < 0 ? bytes.length : newline + 1
    this.#pending += bytes.toString('latin1', start, end)
    if (this.#pending.length > RESPONSE_HEAD_BYTES_MAX)
      throw new MalformedResponse('a chunk’s size or trailers are too long')
    if (newline >= 0) this.#readLine(this.#pending)
    return end
  }

  #readLine(text: string): void {
    if (!text.endsWith('\r\n')) throw new MalformedResponse('a line between chunks ends in a bare LF')
    if (this.#state === 'trailers') {
      // The whole of them at once, when the empty line has come.
      if (text !== '\r\n' && !text.endsWith('\r\n\r\n')) return
      this.#trailers = readFields(text.slice(0, -2))
      this.#state = 'done'
    } else if (this.#state === 'data-end') {
      if (text !== '\r\n') throw new MalformedResponse('a chunk does not end where it says')
      this.#state = 'size'
    } else {
      const size = SIZE_LINE.exec(text)?.[1]
      if (size === undefined) throw new MalformedResponse('the size of a chunk is none')
      this.#left = Number.parseInt(size, 16)
      this.#state = this.#left === 0 ? 'trailers' : 'data'
    }
    this.#pending = ''
  }
}

const NEWLINE = 0x0a

const TOKEN = "[!#$%&'*+\\-.^_`|~\\dA-Za-z]+"
const QUOTED = String.raw`"(?:[\t !#-\[\]-~\x80-\xff]|\\[\t -~\x80-\xff])*"`
const EXTENSION = String.raw`[\t ]*;[\t ]*${TOKEN}(?:[\t ]*=[\t ]*(?:${TOKEN}|${QUOTED}))?`
/** A size, and extensions, which mean nothing to us: `;name`, `;name=token`, `;name="text"`. RFC 9112, 7.1.1. */
const SIZE_LINE = new RegExp(String.raw`^([\dA-Fa-f]{1,12})(?:${EXTENSION})*\r\n$`)
