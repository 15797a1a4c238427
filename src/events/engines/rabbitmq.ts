import type { Broker, BrokerDeclaration, BrokerLag, BrokerReader, BrokerRecord, BrokerSubscription } from '../broker.ts'
import type { LogCapabilities } from '../capabilities.ts'
import { RABBITMQ_CHECK_MS, RABBITMQ_DELIVERIES_MAX, RABBITMQ_QUEUE_RECORDS_MAX } from '../limits.ts'
import { parseRabbitMqUrl, type RabbitMqAddress } from './rabbitmq-address.ts'
import { codeOf, importDriver, RabbitMqConnection } from './rabbitmq-connection.ts'
import { RabbitMqPublisher } from './rabbitmq-publisher.ts'
import { RabbitMqReader } from './rabbitmq-reader.ts'
import {
  deadQueueOf,
  declareTopology,
  exchangeOf,
  membersQueueOf,
  queueOf,
  queuesOf,
  type RabbitMqTopology,
} from './rabbitmq-topology.ts'
import { assertVersion } from './rabbitmq-version.ts'

export const RABBITMQ: LogCapabilities = {
  name: 'RabbitMQ',
  sharedBy: 'partition',
  keepsRead: false,
  isolatesGroups: false,
  isReadByOthers: true,
  countsTaken: false,
}

export type RabbitMqOptions = Partial<RabbitMqTopology> & {
  /** See {@link parseRabbitMqUrl} for the grammar. */
  readonly url: string
  /** Whose connections these are, for people who look at the server. */
  readonly clientId: string
  /** Pause between two looks at dead letters and at who reads how much; default RABBITMQ_CHECK_MS. */
  readonly checkMs?: number
  /** A connection broke, or something else went wrong that is tried again. */
  readonly onFailure?: (error: unknown) => void
}

/** Throws EVENTS_BROKER_URL_INVALID, EVENTS_DRIVER_MISSING. */
export async function openRabbitMq(options: RabbitMqOptions): Promise<RabbitMqBroker> {
  const broker = new RabbitMqBroker(options)
  await importDriver()
  return broker
}

/**
 * RabbitMQ, 3.10 or newer, as a broker: a quorum queue for each group and partition, so that what is confirmed is on
 * disk, on most nodes of a cluster. Its limits:
 *   - A queue keeps a record until its group has read it, whatever the retention, and not longer: no replay.
 *   - A record of a topic that no group of the declaration reads is kept nowhere.
 *   - `lag()` counts what waits in queues and what this process holds, not what others hold, RABBITMQ_PREFETCH each,
 *     nor what somebody removed: people are told what is unread in the logs, see unread-counts.ts.
 *   - A full queue holds up the publishing of all groups.
 */
export class RabbitMqBroker implements Broker {
  readonly capabilities = RABBITMQ
  readonly #address: RabbitMqAddress
  readonly #topology: RabbitMqTopology
  /** Apart, since a server that is short of memory stops reading from connections that publish. */
  readonly #publishing: RabbitMqConnection
  readonly #reading: RabbitMqConnection
  readonly #publisher: RabbitMqPublisher
  readonly #readers = new Set<RabbitMqReader>()
  readonly #checkMs: number
  #declaration: BrokerDeclaration = { topics: [], groups: [] }
  #unread: ReadonlySet<string> = new Set()
  #isChecked = false

  /** Throws EVENTS_BROKER_URL_INVALID. */
  constructor(options: RabbitMqOptions) {
    const { url, clientId, onFailure = () => undefined } = options
    const address = parseRabbitMqUrl(url)
    this.#address = address
    this.#checkMs = options.checkMs ?? RABBITMQ_CHECK_MS
    this.#topology = {
      prefix: options.prefix ?? 'groundswell.',
      queueRecordsMax: options.queueRecordsMax ?? RABBITMQ_QUEUE_RECORDS_MAX,
      deliveriesMax: options.deliveriesMax ?? RABBITMQ_DELIVERIES_MAX,
    }
    this.#publishing = new RabbitMqConnection({ address, name: `${clientId} publishing`, onFailure })
    this.#reading = new RabbitMqConnection({ address, name: `${clientId} reading`, onFailure })
    this.#publisher = new RabbitMqPublisher({
      connection: this.#publishing,
      placeOf: (topic) => ({ exchange: exchangeOf(this.#topology, topic), mandatory: !this.#unread.has(topic) }),
    })
  }

  async declare(declaration: BrokerDeclaration): Promise<void> {
    await this.ping()
    await declareTopology(this.#reading, this.#topology, declaration)
    const read = new Set(declaration.groups.flatMap((group) => group.topics))
    this.#unread = new Set(declaration.topics.map((topic) => topic.name).filter((name) => !read.has(name)))
    this.#declaration = declaration
  }

  publish(records: readonly BrokerRecord[]): Promise<void> {
    return this.#publisher.publish(records)
  }

  async subscribe(subscription: BrokerSubscription): Promise<BrokerReader> {
    const { group } = subscription
    const topics = new Set(subscription.topics)
    const reader = new RabbitMqReader({
      connection: this.#reading,
      subscription,
      queues: queuesOf(this.#topology, this.#declaration).filter(
        (queue) => queue.group === group && topics.has(queue.topic),
      ),
      deadQueue: deadQueueOf(this.#topology, group),
      membersQueue: membersQueueOf(this.#topology, group),
      checkMs: this.#checkMs,
    })
    for (const known of this.#readers) if (known.isStopped) this.#readers.delete(known)
    this.#readers.add(reader)
    await reader.start()
    return reader
  }

  async lag(groups: BrokerDeclaration['groups']): Promise<readonly BrokerLag[]> {
    const places = groups.flatMap(({ name: group, topics }) => topics.map((topic) => ({ group, topic })))
    const lags = await Promise.all(places.map((place) => this.#lagOf(place)))
    return lags.flat()
  }

  async ping(): Promise<void> {
    if (!this.#isChecked) await assertVersion(this.#address)
    this.#isChecked = true
    await this.#reading.run(async () => undefined)
  }

  async close(): Promise<void> {
    await this.#publisher.close()
    await Promise.all([this.#publishing.close(), this.#reading.close()])
  }

  /** The partitions are those that have a queue: asking for the first that has none ends the channel. */
  #lagOf({ group, topic }: { readonly group: string; readonly topic: string }): Promise<readonly BrokerLag[]> {
    return this.#reading.run(async (channel) => {
      const lags: BrokerLag[] = []
      try {
        for (let partition = 0; ; partition++) {
          const { name } = queueOf(this.#topology, { group, topic, partition })
          const { messageCount } = await channel.queueDeclare({ queue: name, passive: true })
          lags.push({ group, topic, partition, messages: messageCount + this.#heldOf(name) })
        }
      } catch (error) {
        if (codeOf(error) !== 'NOT_FOUND') throw error
        return lags
      }
    })
  }

  #heldOf(queue: string): number {
    const inbounds = [...this.#readers].flatMap((reader) => reader.inbounds)
    return inbounds.reduce((sum, one) => (one.queue.name === queue ? sum + one.unacknowledged : sum), 0)
  }
}
