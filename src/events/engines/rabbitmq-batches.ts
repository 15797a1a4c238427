import type { BrokerRecord, BrokerSubscription } from '../broker.ts'
import { DELIVERY_EVENTS_MAX, READ_POLL_MS_LOCAL } from '../limits.ts'
import { Gate } from '../signals.ts'
import type { RabbitMqInbound } from './rabbitmq-inbound.ts'

/** What one queue gave to a batch. */
type Part = { readonly inbound: RabbitMqInbound; readonly records: readonly BrokerRecord[] }

/**
 * The loop that hands a group's records on. What arrived on all its queues makes one batch, since a transaction costs
 * the same whatever it holds, and events of every shard are in every partition. When a batch fails, each queue's part
 * is tried again alone, so that one which cannot go on holds up no other.
 */
export class RabbitMqBatches {
  readonly #subscription: BrokerSubscription
  readonly #inbounds: readonly RabbitMqInbound[]
  readonly #gate = new Gate()
  #first = 0
  #isPaused = false
  #isStopping = false
  #running: Promise<void> | undefined

  constructor(subscription: BrokerSubscription, inbounds: readonly RabbitMqInbound[]) {
    this.#subscription = subscription
    this.#inbounds = inbounds
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Records may have arrived. */
  signal(): void {
    this.#gate.open()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    this.#gate.open()
  }

  /** Resolves when the batch under way is done. */
  async stop(): Promise<void> {
    this.#isStopping = true
    this.#gate.open()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isStopping) {
      const parts = this.#isPaused ? [] : this.#nextBatch()
      if (parts.length === 0) await this.#gate.wait(this.#waitMs())
      else await this.#deliver(parts)
    }
  }

  /** A part whose last attempt failed goes alone, all others together. Another queue is first each time. */
  #nextBatch(): readonly Part[] {
    this.#first = (this.#first + 1) % Math.max(1, this.#inbounds.length)
    const parts: Part[] = []
    let room = DELIVERY_EVENTS_MAX
    for (const inbound of [...this.#inbounds.slice(this.#first), ...this.#inbounds.slice(0, this.#first)]) {
      const alone = inbound.hasFailed
      if (room === 0 || (alone && parts.length > 0)) continue
      const records = inbound.take(room)
      if (records.length === 0) continue
      parts.push({ inbound, records })
      if (alone) break
      room -= records.length
    }
    return parts
  }

  async #deliver(parts: readonly Part[]): Promise<void> {
    try {
      await this.#subscription.onBatch(parts.flatMap((part) => part.records))
      for (const { inbound } of parts) inbound.acknowledge()
    } catch (error) {
      const pausesMs = parts.map(({ inbound }) => inbound.hold())
      this.#subscription.onFailure(error, Math.min(...pausesMs))
    }
  }

  /** Until a batch that failed is due. */
  #waitMs(): number {
    const nowMs = performance.now()
    const dueInMs = this.#inbounds.map(({ dueAtMs }) => dueAtMs - nowMs).filter((ms) => ms > 0)
    return Math.max(1, Math.min(READ_POLL_MS_LOCAL, ...dueInMs))
  }
}
