import type { AsyncMessage, Envelope } from 'rabbitmq-client'
import type { BrokerRecord } from '../broker.ts'
import type { RabbitMqQueue } from './rabbitmq-topology.ts'

/** The header with the key of a record, since AMQP has no place for it. */
const KEY = 'groundswell-key'

/** The one header of a record that AMQP has a property for. */
const TYPE = 'content-type'

/** Records name attributes as Kafka's binding does. Source: CloudEvents 1.0.2, AMQP protocol binding, 3.1.3.1. */
const KAFKA_PREFIX = 'ce_'
export const AMQP_PREFIX = 'cloudEvents:'

export type MessagePlace = { readonly exchange: string; readonly mandatory: boolean }

/** A record as a durable message. Says the encoding, or else the driver parses JSON on arrival. */
export function envelopeOf(record: BrokerRecord, { exchange, mandatory }: MessagePlace): Envelope {
  const { [TYPE]: contentType = 'application/json', ...attributes } = record.headers
  return {
    exchange,
    mandatory,
    routingKey: String(record.partition),
    durable: true,
    contentType,
    contentEncoding: 'utf-8',
    headers: { ...renamed(attributes, KAFKA_PREFIX, AMQP_PREFIX), [KEY]: record.key },
  }
}

/** Headers that are no text are RabbitMQ's own, such as the count of deliveries. */
export function recordOf(
  { headers: sent = {}, contentType, body }: Pick<AsyncMessage, 'headers' | 'contentType' | 'body'>,
  { topic, partition }: Pick<RabbitMqQueue, 'topic' | 'partition'>,
): BrokerRecord {
  const { [KEY]: key = '', ...attributes } = textsOf(sent)
  const headers = renamed(attributes, AMQP_PREFIX, KAFKA_PREFIX)
  if (contentType !== undefined) headers[TYPE] = contentType
  return { topic, partition, key, value: String(body), headers }
}

function textsOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const texts: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) if (typeof value === 'string') texts[name] = value
  return texts
}

/** The same headers, with the prefix `to` where they had `from`. */
function renamed(headers: Readonly<Record<string, string>>, from: string, to: string): Record<string, string> {
  const names: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers)) {
    names[name.startsWith(from) ? to + name.slice(from.length) : name] = value
  }
  return names
}
