import type { Broker } from './broker.ts'
import { eventsError } from './errors.ts'

export type BrokerOpening = {
  /** `kafka://host:9092,…`, `kafka+ssl://…`, `amqp://host:5672` or `amqps://…`; the engine's file has the grammar. */
  readonly url: string
  /** Whose connections these are, for people who look at the broker. */
  readonly clientId: string
  /** Stays the same when this process is started again: it then keeps its partitions, if it is quick. */
  readonly instanceId?: string | undefined
  /** A connection broke, or something else went wrong that is tried again. */
  readonly onFailure?: (error: unknown) => void
}

/**
 * The broker that an address names. Connects when it is first used. Throws EVENTS_BROKER_URL_INVALID and
 * EVENTS_DRIVER_MISSING.
 */
export async function openBroker(opening: BrokerOpening): Promise<Broker> {
  const scheme = /^[a-z+]+(?=:\/\/)/.exec(opening.url)?.[0]
  if (scheme === 'kafka' || scheme === 'kafka+ssl') return (await import('./engines/kafka.ts')).openKafka(opening)
  if (scheme === 'amqp' || scheme === 'amqps') return (await import('./engines/rabbitmq.ts')).openRabbitMq(opening)
  const known = 'kafka://, kafka+ssl://, amqp:// and amqps:// do'
  throw eventsError('EVENTS_BROKER_URL_INVALID', `the scheme "${scheme}" names no broker: ${known}`)
}
