import { randomUUID } from 'node:crypto'
import { REMOVAL_REMEMBERED_MS } from '../../limits.ts'
import type { RedisConnection } from '../../stores/redis-connection.ts'
import type { Keeping, Lookup, RemovalCount, ResponseStore, StoredResponse } from '../response-store.ts'

/** What is written: the body as base64, the mark of the look that it came from, all else as it is. */
type Written = Omit<StoredResponse, 'body'> & { readonly body: string; readonly mark?: string }

/** Keeps a response if nothing was removed since its request looked: both marks are as they were. */
const KEEP = `
for index = 1, 2 do
  if (redis.call('GET', KEYS[index]) or '') ~= ARGV[index] then return 0 end
end
redis.call('SET', KEYS[3], ARGV[3], 'PX', ARGV[4])
return 1`

/**
 * Responses of one plugin in a Redis that all gateways share.
 *
 * Beside them is a mark, which is another after each `clear`: a response counts only while the mark is the one that was
 * there when its request looked. So clearing is one write, whatever is kept, and what a gateway had asked a service for
 * before that is not answered with later. Every look reads the mark, so it is never what Redis evicts first. A removal
 * of one response leaves a mark of its own for a while, to the same end.
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
    const names = [...this.#marksOf(key), this.#prefix + key]
    const [mark, removal, text] = await this.#connection.run((client) => client.mGet(names))
    return { response: readIf(text, mark ?? ''), epoch: `${removals} ${mark ?? ''} ${removal ?? ''}` }
  }

  async keep(key: string, response: StoredResponse, { keptMs, epoch }: Keeping): Promise<void> {
    const [removals, mark = '', removal = ''] = epoch.split(' ')
    if (removals !== String(this.#count.removals)) return
    const written: Written = { ...response, body: response.body.toString('base64'), mark }
    const milliseconds = String(Math.max(1, Math.ceil(keptMs)))
    const keys = [...this.#marksOf(key), this.#prefix + key]
    const command = ['EVAL', KEEP, String(keys.length), ...keys, mark, removal, JSON.stringify(written), milliseconds]
    await this.#connection.run((client) => client.sendCommand(command))
  }

  async remove(key: string): Promise<boolean> {
    this.#count.removals += 1
    const [, removalName = ''] = this.#marksOf(key)
    const expiration = { type: 'PX', value: REMOVAL_REMEMBERED_MS } as const
    await this.#connection.run((client) => client.set(removalName, randomUUID(), { expiration }))
    const { response } = await this.find(key)
    await this.#connection.run((client) => client.unlink(this.#prefix + key))
    return response !== undefined
  }

  async clear(): Promise<void> {
    this.#count.removals += 1
    await this.#connection.run((client) => client.set(this.#markName, randomUUID()))
  }

  /** Names of the mark of all responses, and of that of one. */
  #marksOf(key: string): readonly string[] {
    return [this.#markName, `${this.#prefix}removal:${key}`]
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
