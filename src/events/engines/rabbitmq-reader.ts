import type { Channel } from 'rabbitmq-client'
import { delay } from '../../core/index.ts'
import type { BrokerReader, BrokerSubscription } from '../broker.ts'
import { eventsError } from '../errors.ts'
import { backoffMs } from '../pause.ts'
import { Gate } from '../signals.ts'
import { RabbitMqBatches } from './rabbitmq-batches.ts'
import { brokerError, type RabbitMqConnection } from './rabbitmq-connection.ts'
import { RabbitMqInbound } from './rabbitmq-inbound.ts'
import type { RabbitMqQueue } from './rabbitmq-topology.ts'

export type ReaderOptions = {
  readonly connection: RabbitMqConnection
  readonly subscription: BrokerSubscription
  readonly queues: readonly RabbitMqQueue[]
  /** Where the server puts what it gave up of this group. */
  readonly deadQueue: string
  /** Consumed by every process that reads for this group, to be counted. */
  readonly membersQueue: string
  /** Pause between two looks at dead letters and at who reads how much. */
  readonly checkMs: number
}

/**
 * Reads all queues of a group: keeps their channels open, with growing pauses while that fails, and now and then looks
 * for dead letters and for the share of this process. RabbitMQ leaves each queue to whoever came first, so that a
 * process which came later would get nothing: one that is the active consumer of more than its share gives the rest up,
 * and the next in line has them. Only queues that something came from are counted; nobody gains from others.
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
  #membership: Channel | undefined
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
    await Promise.all([...this.inbounds, this.#membership].map((one) => one?.close()))
  }

  async #keepTending(): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      await this.#attention.wait(this.#options.checkMs)
      if (!this.#stopping.signal.aborted) await this.#tend()
    }
  }

  async #tend(): Promise<void> {
    try {
      await this.#openAll()
      await this.#joinMembers()
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

  async #joinMembers(): Promise<void> {
    const { connection, membersQueue: queue } = this.#options
    if (this.#membership?.active) return
    const channel = await connection.channel()
    channel.once('close', () => this.#attention.open())
    try {
      await channel.basicConsume({ queue }, () => undefined)
    } catch (error) {
      await channel.close()
      throw brokerError(error)
    }
    this.#membership = channel
  }

  async #check(): Promise<void> {
    const { connection, deadQueue, membersQueue, checkMs } = this.#options
    this.#checkAtMs = performance.now() + checkMs
    const [dead, members] = await connection.run(async (channel) => [
      await channel.queueDeclare({ queue: deadQueue, passive: true }),
      await channel.queueDeclare({ queue: membersQueue, passive: true }),
    ])
    this.#tellDead(dead?.messageCount ?? 0)
    this.#share(members?.consumerCount ?? 1)
  }

  /** Tells of dead letters when there are more than before. */
  #tellDead(count: number): void {
    const { deadQueue, subscription, checkMs } = this.#options
    if (count > this.#deadCount) {
      const text = `RabbitMQ gave up ${count} record(s) of ${subscription.group}; they wait in ${deadQueue}`
      subscription.onFailure(eventsError('EVENTS_BROKER_DEAD_LETTERED', text), checkMs)
    }
    this.#deadCount = count
  }

  #share(members: number): void {
    const shareMax = Math.ceil(this.inbounds.length / Math.max(1, members))
    const active = this.inbounds.filter((inbound) => inbound.isActive)
    let surplus = active.length - shareMax
    for (const inbound of active) if (surplus > 0 && inbound.release()) surplus--
  }
}
