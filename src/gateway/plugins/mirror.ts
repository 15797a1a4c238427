import type { IncomingHttpHeaders } from 'node:http'
import { type Dispatcher, Pool } from 'undici'
import { requestMirrored } from '../channels.ts'
import { MIRROR_IDLE_MS } from '../limits.ts'

export type MirrorSettings = {
  /** The plugin's id, for facts. */
  readonly plugin: string
  /** `http://host:port` or `https://…`. */
  readonly origin: string
  /** Requests under way to the mirror; what is beyond is dropped. */
  readonly concurrency: number
  readonly timeoutMs: number
}

export type MirroredRequest = {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/**
 * Where copies of requests go, for as long as the plugin is there. Nothing waits for it: a copy that finds no place is
 * dropped, and what the mirror answers, or that it does not, is only counted.
 */
export class Mirror {
  #settings: MirrorSettings | undefined
  #pool: Pool | undefined
  #active = 0

  /** From here on; what is under way goes on where it was going. */
  configure(settings: MirrorSettings): void {
    const before = this.#settings
    this.#settings = settings
    if (before?.origin === settings.origin && before.concurrency === settings.concurrency) return
    // Waits for what is under way, and fails only when it is closed already.
    this.#pool?.close(() => {})
    this.#pool = new Pool(settings.origin, {
      connections: settings.concurrency,
      keepAliveTimeout: MIRROR_IDLE_MS,
      connectTimeout: settings.timeoutMs,
    })
  }

  send(request: MirroredRequest): void {
    const [settings, pool] = [this.#settings, this.#pool]
    if (settings === undefined || pool === undefined) return
    if (this.#active >= settings.concurrency) {
      requestMirrored.publish({ plugin: settings.plugin, outcome: 'busy' })
      return
    }
    this.#active += 1
    exchangeWith(pool, request, settings.timeoutMs).then((isAnswered) => {
      this.#active -= 1
      requestMirrored.publish({ plugin: settings.plugin, outcome: isAnswered ? 'answered' : 'failed' })
    })
  }

  /** Cuts off what is under way: nobody waits for it. */
  async stop(): Promise<void> {
    await this.#pool?.destroy()
  }
}

/** Whether the mirror answered, with whatever status. Never rejects. */
async function exchangeWith(pool: Pool, request: MirroredRequest, timeoutMs: number): Promise<boolean> {
  const { method, path, headers, body } = request
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    const answer = await pool.request({
      method: method as Dispatcher.HttpMethod,
      path,
      headers,
      body: body.length === 0 ? null : body,
      signal,
    })
    // It does not fail when it is broken off, only ends.
    await answer.body.dump()
    signal.throwIfAborted()
    return true
  } catch {
    // Refused, too slow, broken off, no HTTP: the copy is lost, which is what the answer says.
    return false
  }
}
