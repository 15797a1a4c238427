import { jittered, type StopOptions, systemClock, untilDeadline } from '../../core/index.ts'
import { decodeEntry, encodeEntry } from '../entry.ts'
import { cacheError } from '../errors.ts'
import { STORE_RECONNECT_MS_MAX, STORE_START_MS } from '../limits.ts'
import type { Held, Store } from '../store.ts'

export type RedisStoreOptions = {
  /** `redis://` or `rediss://`, with the number of the database as its path. */
  readonly url: string
  /** Begins every key, so that applications which share a Redis do not meet. */
  readonly prefix: string
}

type Driver = typeof import('redis')
type Client = ReturnType<typeof createClient>

const RECONNECT_MS = 50

/** What PTTL answers for a key that is not there: it expired between the two commands. */
const EXPIRED = -2

/**
 * The second level on Redis, for all processes. What is in it is data and no authority: a Redis that comes back with
 * what it knew yesterday serves nothing old, since fences are elsewhere. Rejects at once while there is no connection,
 * and connects again for as long as it takes.
 */
export class RedisStore implements Store {
  readonly level = 'redis'
  readonly #options: RedisStoreOptions
  #client: Client | undefined
  #lastError: unknown

  constructor(options: RedisStoreOptions) {
    this.#options = options
  }

  /** Connects, and waits for it for STORE_START_MS at the most. Throws CACHE_DRIVER_MISSING. */
  async start(): Promise<void> {
    if (this.#client !== undefined) return
    const client = createClient(await importDriver(), this.#options.url)
    client.on('error', (error: unknown) => {
      this.#lastError = error
    })
    this.#client = client
    // It goes on trying by itself; that it was stopped meanwhile is no failure.
    const connecting = client.connect().catch((error: unknown) => {
      this.#lastError = error
    })
    await untilDeadline(connecting, { deadlineAtMs: systemClock.now() + STORE_START_MS })
  }

  async get(key: string): Promise<Held | 'unreadable' | undefined> {
    const client = this.#ready()
    const name = this.#name(key)
    const [text, ttlMs] = await Promise.all([client.get(name), client.pTTL(name)])
    if (text === null || ttlMs === EXPIRED) return undefined
    // What has no end to its life is not of ours.
    const entry = ttlMs < 0 ? undefined : decodeEntry(text)
    return entry === undefined ? 'unreadable' : { entry, ttlMs }
  }

  async set(key: string, { entry, ttlMs }: Held): Promise<void> {
    const expiration = { type: 'PX', value: Math.max(1, Math.round(ttlMs)) } as const
    await this.#ready().set(this.#name(key), encodeEntry(entry), { expiration })
  }

  async delete(key: string): Promise<void> {
    await this.#ready().del(this.#name(key))
  }

  async ping(): Promise<void> {
    await this.#ready().ping()
  }

  async stop(options: StopOptions): Promise<void> {
    const client = this.#client
    this.#client = undefined
    if (client?.isReady) await untilDeadline(client.close(), options)
    if (client?.isOpen) client.destroy()
  }

  #ready(): Client {
    if (this.#client?.isReady) return this.#client
    throw this.#lastError ?? new Error('there is no connection')
  }

  #name(key: string): string {
    return `${this.#options.prefix}:${key}`
  }
}

/** Commands given without a connection fail at once: nobody waits for a cache. */
function createClient(driver: Driver, url: string) {
  return driver.createClient({
    url,
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
    socket: { connectTimeout: STORE_RECONNECT_MS_MAX, reconnectStrategy: reconnectMs },
  })
}

function reconnectMs(retries: number): number {
  return jittered(Math.min(STORE_RECONNECT_MS_MAX, RECONNECT_MS * 2 ** Math.min(retries, 10)))
}

async function importDriver(): Promise<Driver> {
  try {
    return await import('redis')
  } catch (error) {
    throw cacheError('CACHE_DRIVER_MISSING', 'CACHE_URL needs the package redis: run npm install redis', {
      cause: error,
    })
  }
}
