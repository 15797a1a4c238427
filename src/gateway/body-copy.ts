import type { IncomingMessage } from 'node:http'
import { COPIED_BODIES_BYTES_MAX } from './limits.ts'

/** What all copies of a gateway may hold together. */
export class CopyMemory {
  #bytes = 0

  /** False when there is no room. */
  take(bytes: number): boolean {
    if (this.#bytes + bytes > COPIED_BODIES_BYTES_MAX) return false
    this.#bytes += bytes
    return true
  }

  release(bytes: number): void {
    this.#bytes -= bytes
  }
}

/** Why there is no copy of a body. */
export type CopyFault = 'body-too-large' | 'memory-full' | 'body-incomplete'

/**
 * A second copy of a request's body, made of the chunks as they arrive. Whoever reads the request notices nothing: it
 * is neither read sooner nor held up. Goes: copying → whole, or given up with a reason.
 */
export class BodyCopy {
  readonly #memory: CopyMemory
  readonly #bytesMax: number
  #chunks: Buffer[] = []
  #bytes = 0
  #isWhole = false
  #fault: CopyFault | undefined

  /** To be called before anything of the body has arrived. */
  constructor(request: IncomingMessage, memory: CopyMemory, bytesMax: number) {
    this.#memory = memory
    this.#bytesMax = bytesMax
    if (request.readableLength > 0 || request.readableDidRead) this.#giveUp('body-incomplete')
    else if (Number(request.headers['content-length']) > bytesMax) this.#giveUp('body-too-large')
    else this.#listen(request)
  }

  /** The body, or why there is none. */
  result(): Buffer | CopyFault {
    if (this.#fault !== undefined) return this.#fault
    return this.#isWhole ? Buffer.concat(this.#chunks) : 'body-incomplete'
  }

  /** Gives its memory back. Idempotent. */
  release(): void {
    this.#memory.release(this.#bytes)
    this.#chunks = []
    this.#bytes = 0
  }

  /** Node and HTTP/2 hand what arrives to `push`; a listener for `data` would make the body flow. */
  #listen(request: IncomingMessage): void {
    const push = request.push
    request.push = (chunk: Buffer | null, encoding?: BufferEncoding) => {
      if (chunk === null) this.#isWhole = true
      else this.#add(chunk)
      return push.call(request, chunk, encoding)
    }
  }

  #add(chunk: Buffer): void {
    if (this.#fault !== undefined) return
    if (this.#bytes + chunk.length > this.#bytesMax) this.#giveUp('body-too-large')
    else if (!this.#memory.take(chunk.length)) this.#giveUp('memory-full')
    else {
      this.#bytes += chunk.length
      this.#chunks.push(chunk)
    }
  }

  #giveUp(fault: CopyFault): void {
    this.release()
    this.#fault = fault
  }
}
