import type { Admin, BaseOptions, Connection, Producer } from '@platformatic/kafka'
import { messageOf } from '../../core/index.ts'
import type { Broker, BrokerDeclaration, BrokerLag } from '../broker.ts'
import type { LogCapabilities } from '../capabilities.ts'
import { eventsError } from '../errors.ts'
import {
  KAFKA_MESSAGE_BYTES_MAX,
  KAFKA_REBALANCE_MS,
  KAFKA_REQUEST_MS,
  KAFKA_RETRIES_MAX,
  KAFKA_RETRY_MS,
  KAFKA_SESSION_MS,
} from '../limits.ts'
import type { BrokerOpening } from '../open-broker.ts'
import { KafkaPublisher } from './kafka-publisher.ts'
import { KafkaReader } from './kafka-reader.ts'
import { parseKafkaUrl } from './kafka-url.ts'

export const KAFKA: LogCapabilities = {
  name: 'Kafka',
  sharedBy: 'partition',
  keepsRead: true,
  isolatesGroups: true,
  isReadByOthers: true,
  countsTaken: true,
}

type Driver = typeof import('@platformatic/kafka')
type Groups = BrokerDeclaration['groups']

export type KafkaOpening = BrokerOpening & {
  /** Time without a heartbeat after which a reader's partitions go to others; default KAFKA_SESSION_MS. */
  readonly sessionMs?: number
}

/** Events on Apache Kafka 3.7 or newer. Connects when it is first used. Throws EVENTS_DRIVER_MISSING. */
export async function openKafka(opening: KafkaOpening): Promise<Broker> {
  return new Kafka(await importDriver(), opening)
}

class Kafka implements Broker {
  readonly capabilities = KAFKA
  private readonly driver: Driver
  private readonly opening: KafkaOpening
  private readonly label: string
  private readonly client: BaseOptions
  private readonly admin: Admin
  private readonly producer: Producer<string, string, string, string>
  private readonly publisher: KafkaPublisher

  constructor(driver: Driver, opening: KafkaOpening) {
    const { label, ...address } = parseKafkaUrl(opening.url)
    this.driver = driver
    this.opening = opening
    this.label = label
    this.client = {
      ...address,
      clientId: opening.clientId,
      requestTimeout: KAFKA_REQUEST_MS,
      retries: KAFKA_RETRIES_MAX,
      retryDelay: KAFKA_RETRY_MS,
    }
    this.admin = new driver.Admin(this.client)
    // Acknowledged by all replicas in sync; what is sent again after a lost answer is appended once.
    this.producer = new driver.Producer({
      ...this.client,
      serializers: { ...driver.stringSerializers, headerKey: encodedName },
      idempotent: true,
      acks: driver.ProduceAcks.ALL,
      autocreateTopics: false,
    })
    this.publisher = new KafkaPublisher(this.producer)
  }

  async declare({ topics }: BrokerDeclaration): Promise<void> {
    await this.attempt('declaring topics', async () => {
      const existing = new Set(await this.admin.listTopics())
      for (const { name, partitions, retentionMs } of topics) {
        if (!existing.has(name)) await this.create(name, partitions, retentionMs)
      }
      if (topics.length === 0) return
      const known = await this.admin.metadata({ topics: topics.map(({ name }) => name), forceUpdate: true })
      for (const { name, partitions } of topics) {
        const count = known.topics.get(name)?.partitionsCount
        if (count !== partitions) {
          throw eventsError(
            'EVENTS_BROKER_MISMATCH',
            `topic ${name} of ${this.label} has ${count} partitions, and ${partitions} are declared`,
          )
        }
      }
    })
  }

  private async create(topic: string, partitions: number, retentionMs: number): Promise<void> {
    try {
      await this.admin.createTopics({
        topics: [{ topic, partitions, replicas: BROKERS_DEFAULT }],
        configs: [
          { name: 'retention.ms', value: String(retentionMs) },
          { name: 'max.message.bytes', value: String(KAFKA_MESSAGE_BYTES_MAX) },
        ],
      })
    } catch (error) {
      // Another process was faster.
      if (!reasonsOf(error).some((reason) => /already exists/i.test(reason))) throw error
    }
  }

  async publish(records: Parameters<Broker['publish']>[0]): Promise<void> {
    await this.attempt('publishing', () => this.publisher.publish(records))
  }

  async subscribe(subscription: Parameters<Broker['subscribe']>[0]): Promise<KafkaReader> {
    const { instanceId, sessionMs = KAFKA_SESSION_MS } = this.opening
    const open = () =>
      new this.driver.Consumer({
        ...this.client,
        groupId: subscription.group,
        ...(instanceId === undefined ? {} : { groupInstanceId: instanceId }),
        deserializers: this.driver.stringDeserializers,
        sessionTimeout: sessionMs,
        heartbeatInterval: Math.floor(sessionMs / HEARTBEATS_PER_SESSION),
        rebalanceTimeout: KAFKA_REBALANCE_MS,
      })
    const explain = (error: unknown, doing: string) => this.unavailable(error, doing)
    const reader = new KafkaReader({ subscription, open, explain, isStatic: instanceId !== undefined })
    await reader.started()
    return reader
  }

  lag(groups: Groups): Promise<readonly BrokerLag[]> {
    return this.attempt('asking for lag', async () => {
      const names = [...new Set(groups.flatMap(({ topics }) => topics))]
      if (names.length === 0) return []
      const [starts, ends, committed] = await Promise.all([
        this.offsets(names, EARLIEST),
        this.offsets(names, LATEST),
        this.admin.listConsumerGroupOffsets({ groups: groups.map(({ name }) => name) }),
      ])
      const positions = new Map(
        committed.flatMap(({ groupId, topics }) =>
          topics.flatMap(({ name, partitions }) =>
            partitions.map((one) => [`${groupId} ${name}/${one.partitionIndex}`, one.committedOffset] as const),
          ),
        ),
      )
      return groups.flatMap(({ name: group, topics }) =>
        topics.flatMap((topic) =>
          [...(ends.get(topic) ?? [])].map(([partition, end]) => {
            const position = positions.get(`${group} ${topic}/${partition}`) ?? -1n
            const start = starts.get(topic)?.get(partition) ?? 0n
            return { group, topic, partition, messages: Number(end - (position < start ? start : position)) }
          }),
        ),
      )
    })
  }

  private async offsets(names: readonly string[], timestamp: bigint): Promise<Map<string, Map<number, bigint>>> {
    const known = await this.admin.metadata({ topics: [...names] })
    const topics = names.map((name) => ({
      name,
      partitions: Array.from({ length: known.topics.get(name)?.partitionsCount ?? 0 }, (_, partitionIndex) => {
        return { partitionIndex, timestamp }
      }),
    }))
    const listed = await this.admin.listOffsets({ topics })
    return new Map(
      listed.map(({ name, partitions }) => [name, new Map(partitions.map((one) => [one.partitionIndex, one.offset]))]),
    )
  }

  async ping(): Promise<void> {
    await this.attempt('asking for its topics', () => this.admin.listTopics())
  }

  async close(): Promise<void> {
    await Promise.all([this.producer.close(true), this.admin.close()])
  }

  private async attempt<T>(doing: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw this.unavailable(error, doing)
    }
  }

  private unavailable(cause: unknown, doing: string): Error {
    if (cause instanceof Error && 'code' in cause && String(cause.code).startsWith('EVENTS_')) return cause
    const reasons = [...new Set(reasonsOf(cause))].join('; ')
    return eventsError('EVENTS_BROKER_UNAVAILABLE', `${this.label} failed at ${doing}: ${reasons}`, { cause })
  }
}

/** As Kafka's own client has it: two may get lost. */
const HEARTBEATS_PER_SESSION = 3

/** Asks the broker for as many replicas as it makes of a topic by default. */
const BROKERS_DEFAULT = -1

/** What Kafka takes for "the first" and "the next" offset, in place of a time. */
const EARLIEST = -2n
const LATEST = -1n

/** The client wraps errors in others that say less: what the innermost say. */
function reasonsOf(error: unknown): string[] {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.flatMap(reasonsOf)
  if (error instanceof Error && error.cause !== undefined) return reasonsOf(error.cause)
  return [messageOf(error)]
}

const encodedNames = new Map<string, Buffer>()

/** Header names are few: each is encoded once. */
function encodedName(name = ''): Buffer {
  const known = encodedNames.get(name) ?? Buffer.from(name)
  encodedNames.set(name, known)
  return known
}

async function importDriver(): Promise<Driver> {
  try {
    const driver = await import('@platformatic/kafka')
    if (!isListening) driver.instancesChannel.subscribe(bearLateErrors)
    isListening = true
    return driver
  } catch (cause) {
    throw eventsError('EVENTS_DRIVER_MISSING', 'Kafka needs its client: npm install @platformatic/kafka', { cause })
  }
}

let isListening = false

/**
 * The client hears the first error of a connection only. One whose login was refused, and which is then cut before it
 * has ended, has a second: unheard, it would end the process. Requests under way learn from the connection's end.
 */
function bearLateErrors(message: unknown): void {
  const { type, instance } = message as { readonly type: string; readonly instance: Connection }
  if (type === 'connection') instance.on('error', () => undefined)
}
