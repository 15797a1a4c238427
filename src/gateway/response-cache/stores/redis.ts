import { randomUUID } from 'node:crypto'
import type { RedisConnection } from '../../stores/redis-connection.ts'
import type { Keeping, Lookup, RemovalCount, ResponseStore, StoredResponse } from '../response-store.ts'

/** What is written: the body as base64, the mark of the look that it came from, all else as it is. */
type Written = Omit<StoredResponse, 'body'> & { readonly body: string; readonly mark?: string }

/**
 * Responses of one plugin in a Redis that all gateways share.
 *
 * Beside them is a mark, which is another after each `clear`: a response counts only while the mark is the one that was
 * there when its request looked. So clearing is one write, whatever is kept, and what a gateway had asked a service for
 * before that is not answered with later. Every look reads the mark, so it is never what Redis evicts first.
 */
export class RedisResponseStore implements ResponseStore {
  readonly #connection: RedisConnection
  readonly #prefix: string
  readonly #count: RemovalCount

  constructor(connection: RedisConnection, pluginId: string, count: RemovalCount) {
    this.#connection = connection
    this.#prefix = `proxy-cache:${pluginId}:`
    this.#count = count
  }

  async find(key: string): Promise<Lookup> {
    const { removals } = this.#count
    const names = [this.#markName, this.#prefix + key]
    const [mark, text] = await this.#connection.run((client) => client.mGet(names))
    return { response: readIf(text, mark ?? ''), epoch: `${removals} ${mark ?? ''}` }
  }

  async keep(key: string, response: StoredResponse, { keptMs, epoch }: Keeping): Promise<void> {
    const [removals, mark = ''] = epoch.split(' ')
    if (removals !== String(this.#count.removals)) return
    const written: Written = { ...response, body: response.body.toString('base64'), mark }
    const expiration = { type: 'PX', value: Math.max(1, Math.ceil(keptMs)) } as const
    await this.#connection.run((client) => client.set(this.#prefix + key, JSON.stringify(written), { expiration }))
  }

  async remove(key: string): Promise<boolean> {
    this.#count.removals += 1
    const { response } = await this.find(key)
    await this.#connection.run((client) => client.unlink(this.#prefix + key))
    return response !== undefined
  }

  async clear(): Promise<void> {
    this.#count.removals += 1
    await this.#connection.run((client) => client.set(this.#markName, randomUUID()))
  }

  get #markName(): string {
    return `${this.#prefix}mark`
  }
}

function readIf(text: string | null | undefined, mark: string): StoredResponse | undefined {
  if (text === null || text === undefined) return undefined
  const { mark: given = '', body, ...response } = JSON.parse(text) as Written
  return given === mark ? { ...response, body: Buffer.from(body, 'base64') } : undefined
}
