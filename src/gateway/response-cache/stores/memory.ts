import { LRUCache } from 'lru-cache'
import { CACHED_RESPONSES_BYTES_MAX } from '../../limits.ts'
import type { Keeping, Lookup, RemovalCount, ResponseStore, StoredResponse } from '../response-store.ts'

/** What an entry takes besides its body and headers: the key, the objects, and lru-cache's own arrays. */
const ENTRY_BYTES = 512

/** Responses in this process, of all plugins that keep them here. The least recently used make room. */
export class ResponseMemory {
  readonly responses: LRUCache<string, StoredResponse>

  constructor(bytesMax: number = CACHED_RESPONSES_BYTES_MAX) {
    this.responses = new LRUCache({ maxSize: bytesMax, sizeCalculation: sizeOf })
  }
}

/** Those of one plugin. */
export class MemoryResponseStore implements ResponseStore {
  readonly #memory: ResponseMemory
  readonly #prefix: string
  readonly #count: RemovalCount

  constructor(memory: ResponseMemory, pluginId: string, count: RemovalCount) {
    this.#memory = memory
    this.#prefix = `${pluginId}:`
    this.#count = count
  }

  find(key: string): Lookup {
    return { response: this.#memory.responses.get(this.#prefix + key), epoch: String(this.#count.removals) }
  }

  keep(key: string, response: StoredResponse, { keptMs, epoch }: Keeping): undefined {
    if (epoch === String(this.#count.removals))
      this.#memory.responses.set(this.#prefix + key, response, { ttl: keptMs })
  }

  remove(key: string): boolean {
    this.#count.removals += 1
    return this.#memory.responses.delete(this.#prefix + key)
  }

  clear(): undefined {
    this.#count.removals += 1
    const { responses } = this.#memory
    for (const name of [...responses.keys()]) if (name.startsWith(this.#prefix)) responses.delete(name)
  }
}

function sizeOf({ headers, body }: StoredResponse): number {
  return headers.reduce((bytes, text) => bytes + text.length, ENTRY_BYTES + body.length)
}
