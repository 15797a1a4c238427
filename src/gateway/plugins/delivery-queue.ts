import { delay, messageOf, type StopOptions, untilDeadline } from '../../core/index.ts'
import { deliveryFailed } from '../channels.ts'
import type { Field } from '../config/schema.ts'

/** Kong's settings of a queue between requests and a receiver that may be slow or away. Times are seconds. */
export type QueueConfig = {
  readonly max_batch_size: number
  readonly max_coalescing_delay: number
  readonly max_entries: number
  readonly max_retry_time: number
  readonly initial_retry_delay: number
  readonly max_retry_delay: number
}

/** What the queue does with a batch, and for whom. */
export type Delivery = {
  readonly queue: QueueConfig
  /** Plugin and receiver, for people: without anything secret. */
  readonly name: string
  /** Rejects when the batch did not arrive. */
  readonly send: (entries: readonly string[]) => Promise<void>
}

/**
 * Entries on their way to a receiver, in memory only: batched, sent one batch at a time, tried again with growing
 * pauses. Bounded: a full queue drops its oldest entry, a batch that fails for too long is dropped. Both are published
 * as facts with their count. Source: Kong 3.9, `kong/tools/queue.lua`.
 *
 *     idle ─add→ gathering ─batch full, or the delay over→ sending ─done→ gathering or idle
 *                                                             └─failed→ pausing ─→ sending, or the batch is dropped
 */
export class DeliveryQueue {
  readonly #stopping = new AbortController()
  #entries: string[] = []
  #delivery: Delivery | undefined
  #working: Promise<void> | undefined
  #wake: (() => void) | undefined
  #droppedCount = 0

  /** Entries that never arrived, since the start. */
  get droppedCount(): number {
    return this.#droppedCount
  }

  /** From here on; a batch under way still goes where it was going. */
  configure(delivery: Delivery): void {
    this.#delivery = delivery
  }

  add(entry: string): void {
    const delivery = this.#delivery
    if (delivery === undefined || this.#stopping.signal.aborted) return
    this.#entries.push(entry)
    if (this.#entries.length > delivery.queue.max_entries) {
      this.#entries.shift()
      this.#drop(delivery, 1, 'the queue is full')
    }
    if (this.#entries.length >= delivery.queue.max_batch_size) this.#wake?.()
    this.#working ??= this.#work(delivery)
  }

  /** Sends what waits, without further attempts, until the deadline; what is left then is dropped. Idempotent. */
  async stop(options: StopOptions): Promise<void> {
    this.#stopping.abort()
    this.#wake?.()
    if (this.#working !== undefined) await untilDeadline(this.#working, options)
    const left = this.#entries.splice(0).length
    if (left > 0 && this.#delivery !== undefined) this.#drop(this.#delivery, left, 'the gateway stopped')
  }

  /** Never rejects. */
  async #work(first: Delivery): Promise<void> {
    while (this.#entries.length > 0) {
      const delivery = this.#delivery ?? first
      await this.#gather(delivery.queue)
      const batch = this.#entries.splice(0, delivery.queue.max_batch_size)
      if (batch.length > 0) await this.#deliver(batch, delivery)
    }
    this.#working = undefined
  }

  async #gather({ max_batch_size, max_coalescing_delay }: QueueConfig): Promise<void> {
    if (this.#entries.length >= max_batch_size || this.#stopping.signal.aborted) return
    const full = new AbortController()
    this.#wake = () => full.abort()
    await delay(max_coalescing_delay * 1_000, full.signal)
    this.#wake = undefined
  }

  async #deliver(batch: readonly string[], delivery: Delivery): Promise<void> {
    const { queue, send } = delivery
    const untilMs = performance.now() + queue.max_retry_time * 1_000
    let pauseMs = queue.initial_retry_delay * 1_000
    for (;;) {
      const failure = await outcomeOf(() => send(batch))
      if (failure === undefined) return
      if (this.#stopping.signal.aborted || performance.now() + pauseMs > untilMs) {
        this.#drop(delivery, batch.length, failure)
        return
      }
      await delay(pauseMs, this.#stopping.signal)
      pauseMs = Math.min(pauseMs * 2, queue.max_retry_delay * 1_000)
    }
  }

  #drop({ name }: Delivery, entries: number, reason: string): void {
    this.#droppedCount += entries
    deliveryFailed.publish({ name, entries, reason })
  }
}

/** Why it failed, undefined when it did not. */
async function outcomeOf(run: () => Promise<void>): Promise<string | undefined> {
  try {
    await run()
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

const seconds = (value: number, between: readonly [number, number], description: string): Field => ({
  type: 'number',
  default: value,
  between,
  description,
})

/** Of a plugin's config. `max_bytes` and another concurrency than one are refused: they are not there. */
export function queueField({ batchSize }: { readonly batchSize: number }): Field {
  return {
    type: 'record',
    required: true,
    fields: [
      {
        max_batch_size: {
          type: 'integer',
          default: batchSize,
          between: [1, 1_000_000],
          description: 'Entries sent at once.',
        },
      },
      { max_coalescing_delay: seconds(1, [0, 3_600], 'Seconds that a batch waits for further entries.') },
      {
        max_entries: {
          type: 'integer',
          default: 10_000,
          between: [1, 1_000_000],
          description: 'Entries that may wait.',
        },
      },
      { max_bytes: { type: 'integer', eq: null, description: 'Not available here.' } },
      { max_retry_time: seconds(60, [0, 86_400], 'Seconds after which a batch that fails is dropped.') },
      { initial_retry_delay: seconds(0.01, [0.001, 1_000_000], 'Seconds before the second attempt.') },
      { max_retry_delay: seconds(60, [0.001, 1_000_000], 'Longest pause between attempts, in seconds.') },
      {
        concurrency_limit: { type: 'integer', default: 1, one_of: [1], description: 'Batches sent at the same time.' },
      },
    ],
  }
}
