import type { RedisConnection } from '../../stores/redis-connection.ts'
import type { ResponseStore, StoredResponse } from '../response-store.ts'

/** What is written: the body as base64, all else as it is. */
type Written = Omit<StoredResponse, 'body'> & { readonly body: string }

/** Responses in a Redis that all gateways share. */
export class RedisResponseStore implements ResponseStore {
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  async get(key: string): Promise<StoredResponse | undefined> {
    const text = await this.#connection.run((client) => client.get(nameOf(key)))
    if (text === null) return undefined
    const written = JSON.parse(text) as Written
    return { ...written, body: Buffer.from(written.body, 'base64') }
  }

  async set(key: string, response: StoredResponse, keptMs: number): Promise<void> {
    const written: Written = { ...response, body: response.body.toString('base64') }
    const expiration = { type: 'PX', value: Math.max(1, Math.ceil(keptMs)) } as const
    await this.#connection.run((client) => client.set(nameOf(key), JSON.stringify(written), { expiration }))
  }
}

const nameOf = (key: string) => `proxy-cache:${key}`
