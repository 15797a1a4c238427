import type { Channel, Connection } from 'rabbitmq-client'
import { delay, type GroundswellError, messageOf } from '../../core/index.ts'
import { brokerBlocked } from '../channels.ts'
import { eventsError } from '../errors.ts'
import {
  BROKER_CLOSE_MS,
  BROKER_CONNECT_MS,
  BROKER_HEARTBEAT_S,
  BROKER_RECONNECT_MS_MIN,
  FAILURE_BACKOFF_MS_MAX,
} from '../limits.ts'
import type { RabbitMqAddress } from './rabbitmq-address.ts'

/** What RabbitMQ answers to a declaration that differs from what exists. */
const MISMATCHES = new Set(['PRECONDITION_FAILED', 'RESOURCE_LOCKED'])

/** Bytes of a frame: the most RabbitMQ takes by default, so that a batch of large events is few frames. */
const FRAME_BYTES_MAX = 131_072

export type ConnectionOptions = {
  readonly address: RabbitMqAddress
  /** Shown by the server's own tools. */
  readonly name: string
  /** The connection broke; it is made again. */
  readonly onFailure: (error: unknown) => void
}

/**
 * One connection to RabbitMQ, which is made when it is first needed and again whenever it is lost; its channels are
 * not: who has one hears its 'close', and asks for another.
 */
export class RabbitMqConnection {
  readonly #options: ConnectionOptions
  #connection: Promise<Connection> | undefined
  #lastError: unknown

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /**
   * A new channel, which emits its own errors. Waits for a connection for BROKER_CONNECT_MS; throws
   * EVENTS_BROKER_UNAVAILABLE, EVENTS_DRIVER_MISSING.
   */
  async channel(): Promise<Channel> {
    this.#connection ??= this.#connect()
    const connection = await this.#connection
    try {
      const channel = await connection.acquire({ emitErrorsFromChannel: true })
      channel.on('error', (error) => {
        this.#lastError = error
      })
      return channel
    } catch (error) {
      throw brokerError(connection.ready ? error : (this.#lastError ?? error))
    }
  }

  /** Runs on a channel of its own; what it throws comes out as an error of this folder. */
  async run<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const channel = await this.channel()
    try {
      return await work(channel)
    } catch (error) {
      throw brokerError(error)
    } finally {
      await channel.close()
    }
  }

  /** Channels are closed before. Cuts the connection when that takes long, as it does while the server blocks it. */
  async close(): Promise<void> {
    const connection = await this.#connection?.catch(() => undefined)
    if (connection === undefined) return
    const patience = new AbortController()
    const closed = connection.close().finally(() => patience.abort())
    await Promise.race([closed, delay(BROKER_CLOSE_MS, patience.signal)])
    if (!patience.signal.aborted) connection.unsafeDestroy()
    patience.abort()
  }

  async #connect(): Promise<Connection> {
    const { address } = this.#options
    const Driver = await importDriver()
    const connection = new Driver({
      hosts: address.hosts.map(({ hostname, port }) => `${hostname}:${port}`),
      username: address.username,
      password: address.password,
      vhost: address.vhost,
      tls: address.tls ?? false,
      connectionName: this.#options.name,
      acquireTimeout: BROKER_CONNECT_MS,
      connectionTimeout: BROKER_CONNECT_MS,
      frameMax: FRAME_BYTES_MAX,
      heartbeat: BROKER_HEARTBEAT_S,
      retryLow: BROKER_RECONNECT_MS_MIN,
      retryHigh: FAILURE_BACKOFF_MS_MAX,
    })
    connection.on('error', (error) => {
      this.#lastError = error
      this.#options.onFailure(brokerError(error))
    })
    // What was wrong before explains nothing that comes after.
    connection.on('connection', () => {
      this.#lastError = undefined
    })
    const tell = (blocked: boolean, reason: string) => brokerBlocked.publish({ broker: 'rabbitmq', blocked, reason })
    connection.on('connection.blocked', (reason) => tell(true, reason))
    connection.on('connection.unblocked', () => tell(false, ''))
    return connection
  }
}

/** What the driver or RabbitMQ says, as one of this folder's errors. */
export function brokerError(error: unknown): GroundswellError {
  const code = codeOf(error)
  if (code.startsWith('EVENTS_')) return error as GroundswellError
  const text = `RabbitMQ: ${code === '' ? '' : `${code}: `}${messageOf(error)}`
  if (MISMATCHES.has(code)) return eventsError('EVENTS_BROKER_MISMATCH', text, { cause: error })
  if (code === 'NACK') return eventsError('EVENTS_BROKER_REJECTED', `${text}: a queue is full`, { cause: error })
  if (code === 'NOT_FOUND') return eventsError('EVENTS_BROKER_UNROUTABLE', text, { cause: error })
  return eventsError('EVENTS_BROKER_UNAVAILABLE', text, { cause: error })
}

export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}

/** Throws EVENTS_DRIVER_MISSING. */
export async function importDriver(): Promise<typeof Connection> {
  try {
    return (await import('rabbitmq-client')).Connection
  } catch (error) {
    const text = 'EVENTS_URL needs the package rabbitmq-client: run npm install rabbitmq-client'
    throw eventsError('EVENTS_DRIVER_MISSING', text, { cause: error })
  }
}
