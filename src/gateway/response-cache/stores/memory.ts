import { LRUCache } from 'lru-cache'
import { CACHED_RESPONSES_BYTES_MAX } from '../../limits.ts'
import type { ResponseStore, StoredResponse } from '../response-store.ts'

/** What an entry takes besides its body and headers: the key, the objects, and lru-cache's own arrays. */
const ENTRY_BYTES = 512

/** Responses in this process. The least recently used make room. */
export class MemoryResponseStore implements ResponseStore {
  readonly #responses: LRUCache<string, StoredResponse>

  constructor(bytesMax: number = CACHED_RESPONSES_BYTES_MAX) {
    this.#responses = new LRUCache({ maxSize: bytesMax, sizeCalculation: sizeOf })
  }

  get(key: string): StoredResponse | undefined {
    return this.#responses.get(key)
  }

  set(key: string, response: StoredResponse, keptMs: number): undefined {
    this.#responses.set(key, response, { ttl: keptMs })
  }
}

function sizeOf({ headers, body }: StoredResponse): number {
  return headers.reduce((bytes, text) => bytes + text.length, ENTRY_BYTES + body.length)
}
