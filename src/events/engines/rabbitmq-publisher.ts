import type { Channel, ReturnedMessage } from 'rabbitmq-client'
import type { BrokerRecord } from '../broker.ts'
import { eventsError } from '../errors.ts'
import { RABBITMQ_UNCONFIRMED_MAX } from '../limits.ts'
import { brokerError, type RabbitMqConnection } from './rabbitmq-connection.ts'
import { envelopeOf, type MessagePlace } from './rabbitmq-message.ts'

export type PublisherOptions = {
  readonly connection: RabbitMqConnection
  /** Where a topic's records go, and whether somebody must get them. */
  readonly placeOf: (topic: string) => MessagePlace
}

/** A channel with what came back on it since the publication began. */
type Line = { readonly channel: Channel; readonly returned: ReturnedMessage[] }

/**
 * Publishes in order and waits for confirms in bulk. Publications side by side have a channel each, which they leave to
 * the next when all went well. After a failure the channel is given up, and with it whatever was under way: the caller
 * repeats all of it in the same order. What the server took of the failed attempt may still arrive in between the
 * repetition; both are in order and begin with a record that was not confirmed, so whoever skips repetitions sees each
 * next record once.
 *
 * A queue that is full refuses, and must not take a record that follows a refused one. It refuses until a fifth of it
 * has been read, which is more than is ever under way; so it is enough that no queue begins to take again in the middle
 * of a publication. Therefore the first record of each partition goes ahead, and the others when it was taken.
 */
export class RabbitMqPublisher {
  readonly #options: PublisherOptions
  readonly #idle: Line[] = []

  constructor(options: PublisherOptions) {
    this.#options = options
  }

  /** Throws EVENTS_BROKER_UNAVAILABLE, EVENTS_BROKER_REJECTED, EVENTS_BROKER_UNROUTABLE. */
  async publish(records: readonly BrokerRecord[]): Promise<void> {
    const line = await this.#line()
    try {
      await this.#send(line.channel, records)
      await everythingSeen()
      assertRouted(line.returned)
      this.#idle.push(line)
    } catch (error) {
      await line.channel.close()
      throw brokerError(error)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#idle.splice(0).map(({ channel }) => channel.close()))
  }

  async #line(): Promise<Line> {
    for (let line = this.#idle.pop(); line !== undefined; line = this.#idle.pop()) {
      if (line.channel.active) return line
    }
    const channel = await this.#options.connection.channel()
    const returned: ReturnedMessage[] = []
    channel.on('basic.return', (message) => returned.push(message))
    try {
      await channel.confirmSelect()
      return { channel, returned }
    } catch (error) {
      throw brokerError(error)
    }
  }

  async #send(channel: Channel, records: readonly BrokerRecord[]): Promise<void> {
    const failed = Promise.withResolvers<never>()
    // The driver forgets a message that it wrote in the moment in which the channel was lost: nobody may wait for that.
    const closed = () => failed.reject(new Error('the channel was closed'))
    channel.once('close', closed)
    try {
      const [heads, others] = headsFirst(records)
      for (const portion of [heads, others]) {
        await Promise.race([this.#sendInWindow(channel, portion, failed.reject), failed.promise])
      }
    } finally {
      channel.off('close', closed)
      failed.promise.catch(() => undefined)
    }
  }

  /** Sends what the window allows, in order, and waits for all confirms. One that fails is told of at once. */
  async #sendInWindow(
    channel: Channel,
    records: readonly BrokerRecord[],
    onFailure: (error: unknown) => void,
  ): Promise<void> {
    const confirms: Promise<void>[] = []
    for (const record of records) {
      const place = this.#options.placeOf(record.topic)
      const confirmed = channel.basicPublish(envelopeOf(record, place), Buffer.from(record.value))
      confirmed.catch(onFailure)
      confirms.push(confirmed)
      await confirms[confirms.length - RABBITMQ_UNCONFIRMED_MAX]
    }
    await Promise.all(confirms)
  }
}

/** The first record of each partition, and all others, each in order. */
function headsFirst(records: readonly BrokerRecord[]): readonly [BrokerRecord[], BrokerRecord[]] {
  const begun = new Set<string>()
  const [heads, others]: [BrokerRecord[], BrokerRecord[]] = [[], []]
  for (const record of records) {
    const stream = `${record.topic}:${record.partition}`
    if (begun.has(stream)) others.push(record)
    else heads.push(record)
    begun.add(stream)
  }
  return [heads, others]
}

function assertRouted([first, ...others]: readonly ReturnedMessage[]): void {
  if (first === undefined) return
  const { exchange, routingKey, replyText } = first
  const text = `a record for ${exchange}, partition ${routingKey}, and ${others.length} others came back: ${replyText}`
  throw eventsError('EVENTS_BROKER_UNROUTABLE', text)
}

/**
 * A record that cannot be routed comes back before it is confirmed, but the driver tells of the return a turn of the
 * event loop later.
 */
function everythingSeen(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
