import { Agent, request } from 'undici'
import type { StopOptions } from '../../core/index.ts'
import { DeliveryQueue } from './delivery-queue.ts'

/** Where batches go by HTTP. */
export type ReceiverRequest = {
  readonly url: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly timeoutMs: number
  /** How long a connection that nobody uses is kept. */
  readonly idleMs: number
}

/** A queue whose batches are sent by HTTP, on connections of its own, for as long as its plugin is there. */
export class Receiver {
  readonly queue = new DeliveryQueue()
  #agent: Agent | undefined

  async send(body: string, { url, method, headers, timeoutMs, idleMs }: ReceiverRequest): Promise<void> {
    this.#agent ??= new Agent({ connections: 1, keepAliveTimeout: idleMs })
    const { username, password, origin, pathname, search } = new URL(url)
    const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
    const authorization = username === '' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` }
    const response = await request(origin + pathname + search, {
      method: method as 'POST',
      headers: { ...authorization, ...headers },
      body,
      dispatcher: this.#agent,
      signal: AbortSignal.timeout(timeoutMs),
    })
    await response.body.dump()
    if (response.statusCode >= 400) throw new Error(`it answered ${response.statusCode}`)
  }

  async stop(options: StopOptions): Promise<void> {
    await this.queue.stop(options)
    await this.#agent?.destroy()
  }
}

/** An address for people: without user, password and query, which may be secret. */
export const shownUrl = (url: string) => new URL(url).origin + new URL(url).pathname

/** Of a config field. */
export function urlError(value: string): string | undefined {
  const { protocol = '' } = URL.parse(value) ?? {}
  return protocol === 'http:' || protocol === 'https:' ? undefined : 'must be an http:// or https:// URL'
}
