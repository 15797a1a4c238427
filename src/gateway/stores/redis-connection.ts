import { hash } from 'node:crypto'
import { jittered } from '../../core/index.ts'
import type { RedisSettings } from '../config/redis-fields.ts'
import { gatewayError } from '../errors.ts'
import { REDIS_CLOSE_MS, REDIS_FAILURES_MAX, REDIS_RECONNECT_MS_MAX, REDIS_REST_MS } from '../limits.ts'

type Driver = typeof import('redis')

/** What the commands of one connection are given to. */
export type RedisClient = ReturnType<typeof openClient>

const RECONNECT_MS = 20

/**
 * A connection to the Redis that a plugin names. Opened by the first command, and opened again for as long as it
 * takes; a command never waits longer than the plugin's `timeout` in all. After a few failures in a row Redis is left
 * alone for a moment and commands fail at once, so that a Redis that hangs does not hang every request.
 */
export class RedisConnection {
  readonly #settings: RedisSettings
  #client: Promise<RedisClient> | undefined
  #connecting: Promise<unknown> = Promise.resolve()
  #failures = 0
  #restsUntilMs = 0
  #closed = false

  /** Settings in one word, without their secrets: equal settings may share a connection. */
  static nameOf(settings: RedisSettings): string {
    return `redis ${hash('sha256', JSON.stringify(settings), 'base64url')}`
  }

  /** Throws GATEWAY_REDIS_DRIVER_MISSING. */
  constructor(settings: RedisSettings) {
    assertDriver()
    this.#settings = settings
  }

  /** Rejects with GATEWAY_REDIS_UNAVAILABLE, or with Redis' own refusal of a command. */
  async run<T>(work: (client: RedisClient) => Promise<T>): Promise<T> {
    if (this.#closed) throw this.#unavailable('its connection is closed')
    if (performance.now() < this.#restsUntilMs) throw this.#unavailable('it is left alone for a moment')
    try {
      const result = await this.#inTime(this.#connected().then(work))
      this.#failures = 0
      return result
    } catch (error) {
      this.#failures += 1
      if (this.#failures >= REDIS_FAILURES_MAX) this.#restsUntilMs = performance.now() + REDIS_REST_MS
      throw this.#unavailable('the command failed', error)
    }
  }

  /** Lets commands under way finish, then closes. */
  async stop(): Promise<void> {
    this.#closed = true
    const client = await this.#client
    if (client === undefined) return
    if (client.isReady) await within(REDIS_CLOSE_MS, client.close()).catch(() => client.destroy())
    else if (client.isOpen) client.destroy()
  }

  async #connected(): Promise<RedisClient> {
    this.#client ??= this.#open()
    const client = await this.#client
    if (client.isReady) return client
    if (this.#failures > 0) throw new Error('there is no connection')
    // The first commands wait for the connection; #inTime bounds how long.
    await this.#connecting
    return client
  }

  async #open(): Promise<RedisClient> {
    const client = openClient(await import('redis'), this.#settings)
    this.#connecting = new Promise((resolve, reject) => {
      client.once('ready', resolve)
      // Each failure is told to the command that meets it. An error without a listener would be thrown.
      client.on('error', reject)
    })
    // That it goes on trying by itself is all that is left to do when nobody waits any more.
    this.#connecting.catch(() => undefined)
    client.connect().catch((error: unknown) => client.emit('error', error))
    return client
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    return within(this.#settings.timeout, work)
  }

  #unavailable(why: string, cause?: unknown): Error {
    const { host, port } = this.#settings
    return gatewayError('GATEWAY_REDIS_UNAVAILABLE', `Redis at ${host}:${port} did not answer: ${why}`, { cause })
  }
}

function openClient(driver: Driver, settings: RedisSettings) {
  const { host, port, username, password, database, ssl, ssl_verify, server_name, timeout } = settings
  const socket = {
    host: host ?? '127.0.0.1',
    port,
    connectTimeout: Math.max(1, timeout),
    reconnectStrategy: reconnectMs,
  }
  return driver.createClient({
    socket: ssl
      ? { ...socket, tls: true, rejectUnauthorized: ssl_verify, servername: server_name ?? socket.host }
      : socket,
    database,
    ...(username === null ? {} : { username }),
    ...(password === null ? {} : { password }),
    disableOfflineQueue: true,
    disableClientInfo: true,
    maintNotifications: 'disabled',
  })
}

function reconnectMs(retries: number): number {
  return jittered(Math.min(REDIS_RECONNECT_MS_MAX, RECONNECT_MS * 2 ** Math.min(retries, 10)))
}

async function within<T>(limitMs: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    // An answer that has arrived while this process was busy is read before the time counts as over.
    const timeOut = () => setImmediate(reject, new Error(`no answer within ${limitMs} ms`))
    timer = setTimeout(timeOut, limitMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** When the configuration is read, rather than at the first request. */
function assertDriver(): void {
  try {
    import.meta.resolve('redis')
  } catch (error) {
    throw gatewayError('GATEWAY_REDIS_DRIVER_MISSING', 'counting in Redis needs the package redis: npm install redis', {
      cause: error,
    })
  }
}
