import type { AsyncMessage, Channel } from 'rabbitmq-client'
import type { BrokerRecord } from '../broker.ts'
import { RABBITMQ_PREFETCH } from '../limits.ts'
import { backoffMs } from '../pause.ts'
import { brokerError, type RabbitMqConnection } from './rabbitmq-connection.ts'
import { recordOf } from './rabbitmq-message.ts'
import type { RabbitMqQueue } from './rabbitmq-topology.ts'

export type InboundListener = {
  /** There is more to take. */
  arrived(): void
  /** The channel is gone, until somebody opens it again. */
  lost(): void
}

type Arrived = { readonly record: BrokerRecord; readonly tag: number }

/** Records taken together. They stay unacknowledged, and the queue gives no others, until the batch is settled. */
type Batch = { readonly channel: Channel; readonly records: readonly BrokerRecord[]; readonly lastTag: number }

/**
 * One queue as this process reads it, on a channel of its own, so that one acknowledgement covers a batch.
 *   closed:   nothing arrives; `open()` asks for it
 *   waiting:  another process is the active consumer; the server makes this one active when that is gone
 *   reading:  up to RABBITMQ_PREFETCH records wait here
 *   held:     a batch failed: the same records are given out again when their pause is over
 * A channel that is lost, by whatever cause, takes along what had arrived on it, a batch that is held too: the server
 * gives all of it, in order, to the next active consumer. A batch that somebody works on at that moment is finished,
 * and not acknowledged. Records are never returned to the queue one by one, which would change their order.
 */
export class RabbitMqInbound {
  readonly queue: RabbitMqQueue
  readonly #connection: RabbitMqConnection
  readonly #listener: InboundListener
  #channel: Channel | undefined
  #arrived: Arrived[] = []
  #batch: Batch | undefined
  #underWay = false
  #isActive = false
  #dueAtMs = 0
  #failures = 0

  constructor(queue: RabbitMqQueue, connection: RabbitMqConnection, listener: InboundListener) {
    this.queue = queue
    this.#connection = connection
    this.#listener = listener
  }

  get isOpen(): boolean {
    return this.#channel !== undefined
  }

  /** Something came on this channel: this process is the active consumer. */
  get isActive(): boolean {
    return this.#isActive
  }

  /** The batch before failed, so that others had better not share its fate. */
  get hasFailed(): boolean {
    return this.#failures > 0
  }

  /** When a failed batch may be tried again, by the clock of `performance.now()`; 0 when nothing failed. */
  get dueAtMs(): number {
    return this.#dueAtMs
  }

  /** Records that the server gave to this process and that are not acknowledged. */
  get unacknowledged(): number {
    return this.#arrived.length + (this.#batch?.records.length ?? 0)
  }

  /** Throws EVENTS_BROKER_UNAVAILABLE, EVENTS_BROKER_UNROUTABLE. */
  async open(): Promise<void> {
    const channel = await this.#connection.channel()
    channel.once('close', () => this.#lose(channel))
    // The queue was deleted, or its node left: the channel alone would stay, silent.
    channel.on('basic.cancel', () => void channel.close())
    this.#channel = channel
    try {
      await channel.basicQos({ prefetchCount: RABBITMQ_PREFETCH })
      await channel.basicConsume({ queue: this.queue.name }, (message) => this.#arrive(channel, message))
    } catch (error) {
      await channel.close()
      throw brokerError(error)
    }
  }

  /** Up to `max` records for one batch; none while they are not due. To be settled by one of the two below. */
  take(max: number): readonly BrokerRecord[] {
    if (performance.now() < this.#dueAtMs) return []
    if (this.#batch === undefined && this.#channel !== undefined && this.#arrived.length > 0) {
      const taken = this.#arrived.splice(0, max)
      const records = taken.map(({ record }) => record)
      this.#batch = { channel: this.#channel, records, lastTag: taken.at(-1)?.tag ?? 0 }
    }
    this.#underWay = this.#batch !== undefined
    return this.#batch?.records ?? []
  }

  acknowledge(): void {
    const batch = this.#batch
    this.#batch = undefined
    this.#underWay = false
    this.#failures = 0
    this.#dueAtMs = 0
    if (batch?.channel.active) batch.channel.basicAck({ deliveryTag: batch.lastTag, multiple: true })
  }

  /** Keeps the batch for later, or drops it when its channel is gone. Returns the pause. */
  hold(): number {
    this.#underWay = false
    if (this.#batch?.channel !== this.#channel) this.#batch = undefined
    const pauseMs = backoffMs(this.#failures++)
    this.#dueAtMs = performance.now() + pauseMs
    return pauseMs
  }

  /**
   * Gives the queue to the process that waits for it longest, and lines up behind the others when it is opened again.
   * False, and nothing done, while a batch is under way.
   */
  release(): boolean {
    if (this.#underWay) return false
    void this.#channel?.close()
    return true
  }

  /** What is not acknowledged goes back to the queue. */
  async close(): Promise<void> {
    await this.#channel?.close()
  }

  #arrive(channel: Channel, message: AsyncMessage): void {
    if (channel !== this.#channel) return
    this.#arrived.push({ record: recordOf(message, this.queue), tag: message.deliveryTag })
    this.#isActive = true
    this.#listener.arrived()
  }

  #lose(channel: Channel): void {
    if (channel !== this.#channel) return
    this.#channel = undefined
    this.#isActive = false
    this.#arrived = []
    if (!this.#underWay) this.#batch = undefined
    this.#listener.lost()
  }
}
