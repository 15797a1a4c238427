import { delay } from '../../core/index.ts'
import type { BrokerReader, BrokerSubscription } from '../broker.ts'
import { eventsError } from '../errors.ts'
import { RABBITMQ_CHECK_MS } from '../limits.ts'
import { backoffMs } from '../pause.ts'
import { Gate } from '../signals.ts'
import { RabbitMqBatches } from './rabbitmq-batches.ts'
import type { RabbitMqConnection } from './rabbitmq-connection.ts'
import { RabbitMqInbound } from './rabbitmq-inbound.ts'
import type { RabbitMqQueue } from './rabbitmq-topology.ts'

export type ReaderOptions = {
  readonly connection: RabbitMqConnection
  readonly subscription: BrokerSubscription
  readonly queues: readonly RabbitMqQueue[]
  /** Where the server puts what it gave up of this group. */
  readonly deadQueue: string
}

/**
 * Reads all queues of a group: keeps their channels open, with growing pauses while that fails, and looks every
 * RABBITMQ_CHECK_MS for dead letters.
 */
export class RabbitMqReader implements BrokerReader {
  readonly inbounds: readonly RabbitMqInbound[]
  readonly #options: ReaderOptions
  readonly #batches: RabbitMqBatches
  readonly #attention = new Gate()
  readonly #stopping = new AbortController()
  #tending: Promise<void> | undefined
  #failures = 0
  #deadCount = 0
  #checkAtMs = 0
  #stopped: Promise<void> | undefined

  constructor(options: ReaderOptions) {
    const { connection, queues, subscription } = options
    this.#options = options
    this.inbounds = queues.map(
      (queue) =>
        new RabbitMqInbound(queue, connection, {
          arrived: () => this.#batches.signal(),
          lost: () => this.#attention.open(),
        }),
    )
    this.#batches = new RabbitMqBatches(subscription, this.inbounds)
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted
  }

  /** Resolves when the queues were opened, or the first attempt failed: it goes on trying. */
  async start(): Promise<void> {
    this.#batches.start()
    await this.#tend()
    this.#tending = this.#keepTending()
  }

  /** Those of which something has come: the server does not say who is the active consumer of an empty one. */
  assigned(): readonly RabbitMqQueue[] {
    return this.inbounds.filter((inbound) => inbound.isActive).map((inbound) => inbound.queue)
  }

  pause(): void {
    this.#batches.pause()
  }

  resume(): void {
    this.#batches.resume()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  async #stop(): Promise<void> {
    this.#stopping.abort()
    this.#attention.open()
    await this.#batches.stop()
    await this.#tending
    await Promise.all(this.inbounds.map((inbound) => inbound.close()))
  }

  async #keepTending(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#attention.wait(RABBITMQ_CHECK_MS)
      if (!this.#stopping.signal.aborted) await this.#tend()
    }
  }

  async #tend(): Promise<void> {
    try {
      await this.#openAll()
      if (performance.now() >= this.#checkAtMs) await this.#check()
      this.#failures = 0
    } catch (error) {
      const retryInMs = backoffMs(this.#failures++)
      if (this.#stopping.signal.aborted) return
      this.#options.subscription.onFailure(error, retryInMs)
      await delay(retryInMs, this.#stopping.signal)
      this.#attention.open()
    }
  }

  async #openAll(): Promise<void> {
    const closed = this.inbounds.filter((inbound) => !inbound.isOpen)
    for (const outcome of await Promise.allSettled(closed.map((inbound) => inbound.open()))) {
      if (outcome.status === 'rejected') throw outcome.reason
    }
  }

  /** Tells of dead letters when there are more than before. */
  async #check(): Promise<void> {
    const { connection, deadQueue: queue, subscription } = this.#options
    const { messageCount } = await connection.run((channel) => channel.queueDeclare({ queue, passive: true }))
    if (messageCount > this.#deadCount) {
      const text = `RabbitMQ gave up ${messageCount} record(s) of ${subscription.group}; they wait in ${queue}`
      subscription.onFailure(eventsError('EVENTS_BROKER_DEAD_LETTERED', text), RABBITMQ_CHECK_MS)
    }
    this.#deadCount = messageCount
    this.#checkAtMs = performance.now() + RABBITMQ_CHECK_MS
  }
}
