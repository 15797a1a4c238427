import type { Channel } from 'rabbitmq-client'
import { messageOf } from '../../core/index.ts'
import type { BrokerDeclaration } from '../broker.ts'
import { eventsError } from '../errors.ts'
import { RABBITMQ_DECLARE_CHANNELS } from '../limits.ts'
import { codeOf, type RabbitMqConnection } from './rabbitmq-connection.ts'

/**
 * What there is in RabbitMQ, all of it durable and replicated:
 *   exchange PREFIX TOPIC                  direct; the routing key is the partition
 *   queue    PREFIX TOPIC ':partitions'    empty for ever: its length limit says how many partitions the topic has
 *   queue    PREFIX GROUP ':' TOPIC ':' n  what the group has yet to read of partition n
 *   exchange PREFIX ':dead'                direct; the routing key is the group
 *   queue    PREFIX GROUP ':dead'          what RabbitMQ gave up
 *   queue    PREFIX GROUP ':members'       empty for ever: its consumers are the processes that read for the group
 * Names of topics and groups have no colon, so none can be read in two ways.
 */
export type RabbitMqTopology = {
  readonly prefix: string
  /** Records in a queue before publishing is refused. */
  readonly queueRecordsMax: number
  /** Deliveries of a record before it is a dead letter. */
  readonly deliveriesMax: number
}

export type RabbitMqQueue = {
  readonly group: string
  readonly topic: string
  readonly partition: number
  readonly name: string
}

const QUORUM = { 'x-queue-type': 'quorum' } as const

export function exchangeOf({ prefix }: RabbitMqTopology, topic: string): string {
  return `${prefix}${topic}`
}

export function deadQueueOf({ prefix }: RabbitMqTopology, group: string): string {
  return `${prefix}${group}:dead`
}

export function queueOf({ prefix }: RabbitMqTopology, place: Omit<RabbitMqQueue, 'name'>): RabbitMqQueue {
  return { ...place, name: `${prefix}${place.group}:${place.topic}:${place.partition}` }
}

export function membersQueueOf({ prefix }: RabbitMqTopology, group: string): string {
  return `${prefix}${group}:members`
}

/** Every queue of every group. Topics that a group names and nobody declares have none. */
export function queuesOf(topology: RabbitMqTopology, declaration: BrokerDeclaration): readonly RabbitMqQueue[] {
  const partitions = new Map(declaration.topics.map((topic) => [topic.name, topic.partitions]))
  return declaration.groups.flatMap(({ name: group, topics }) =>
    topics.flatMap((topic) =>
      Array.from({ length: partitions.get(topic) ?? 0 }, (_, partition) =>
        queueOf(topology, { group, topic, partition }),
      ),
    ),
  )
}

/** Makes what is missing. Throws EVENTS_BROKER_MISMATCH when something exists and is different. */
export async function declareTopology(
  connection: RabbitMqConnection,
  topology: RabbitMqTopology,
  declaration: BrokerDeclaration,
): Promise<void> {
  await connection.run(async (channel) => {
    for (const topic of declaration.topics) await declareTopic(channel, topology, topic)
    await channel.exchangeDeclare({ exchange: deadExchange(topology), type: 'direct', durable: true })
    for (const { name } of declaration.groups) {
      await declareDeadLetters(channel, topology, name)
      await channel.queueDeclare({ queue: membersQueueOf(topology, name), durable: true, arguments: QUORUM })
    }
  })
  // A queue that anybody sees has its binding soon after; nothing is published before all are declared.
  const queues = queuesOf(topology, declaration)[Symbol.iterator]()
  const declareRest = async (channel: Channel) => {
    for (const queue of queues) await declareQueue(channel, topology, queue)
  }
  await Promise.all(Array.from({ length: RABBITMQ_DECLARE_CHANNELS }, () => connection.run(declareRest)))
}

/** RabbitMQ compares only arguments that it knows, and a length limit is one. */
async function declareTopic(
  channel: Channel,
  topology: RabbitMqTopology,
  topic: { readonly name: string; readonly partitions: number },
): Promise<void> {
  const exchange = exchangeOf(topology, topic.name)
  const partitions = { ...QUORUM, 'x-max-length': topic.partitions }
  try {
    await channel.queueDeclare({ queue: `${exchange}:partitions`, durable: true, arguments: partitions })
  } catch (cause) {
    if (codeOf(cause) !== 'PRECONDITION_FAILED') throw cause
    const current = /current is '?(\d+)/.exec(messageOf(cause))?.[1] ?? 'another number of'
    const text = `RabbitMQ has ${current} partitions of ${topic.name}, and ${topic.partitions} are declared`
    throw eventsError('EVENTS_BROKER_MISMATCH', text, { cause })
  }
  await channel.exchangeDeclare({ exchange, type: 'direct', durable: true })
}

/** Nothing in it is ever given up in turn, however often somebody looks at it. */
async function declareDeadLetters(channel: Channel, topology: RabbitMqTopology, group: string): Promise<void> {
  const queue = deadQueueOf(topology, group)
  const kept = { ...QUORUM, 'x-delivery-limit': 2 ** 31 - 1 }
  await channel.queueDeclare({ queue, durable: true, arguments: kept })
  await channel.queueBind({ queue, exchange: deadExchange(topology), routingKey: group })
}

async function declareQueue(channel: Channel, topology: RabbitMqTopology, queue: RabbitMqQueue): Promise<void> {
  const args = {
    ...QUORUM,
    'x-single-active-consumer': true,
    'x-delivery-limit': topology.deliveriesMax,
    'x-max-length': topology.queueRecordsMax,
    'x-overflow': 'reject-publish',
    // A record leaves the queue when the queue of dead letters has confirmed it.
    'x-dead-letter-strategy': 'at-least-once',
    'x-dead-letter-exchange': deadExchange(topology),
    'x-dead-letter-routing-key': queue.group,
  } as const
  await channel.queueDeclare({ queue: queue.name, durable: true, arguments: args })
  const routingKey = String(queue.partition)
  await channel.queueBind({ queue: queue.name, exchange: exchangeOf(topology, queue.topic), routingKey })
}

function deadExchange({ prefix }: RabbitMqTopology): string {
  return `${prefix}:dead`
}
