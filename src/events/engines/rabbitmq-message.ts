import type { AsyncMessage, Envelope } from 'rabbitmq-client'
import type { BrokerRecord } from '../broker.ts'
import type { RabbitMqQueue } from './rabbitmq-topology.ts'

/** The header with the key of a record, since AMQP has no place for it. */
const KEY = 'groundswell-key'

export type MessagePlace = { readonly exchange: string; readonly mandatory: boolean }

/** A record as a durable message. Says the encoding, or else the driver parses JSON on arrival. */
export function envelopeOf(record: BrokerRecord, { exchange, mandatory }: MessagePlace): Envelope {
  return {
    exchange,
    mandatory,
    routingKey: String(record.partition),
    durable: true,
    contentType: record.headers['content-type'] ?? 'application/json',
    contentEncoding: 'utf-8',
    headers: { ...record.headers, [KEY]: record.key },
  }
}

/** Headers that are no text are RabbitMQ's own, such as the count of deliveries. */
export function recordOf(message: AsyncMessage, { topic, partition }: RabbitMqQueue): BrokerRecord {
  const headers: Record<string, string> = {}
  let key = ''
  for (const [name, value] of Object.entries(message.headers ?? {})) {
    if (typeof value !== 'string') continue
    if (name === KEY) key = value
    else headers[name] = value
  }
  return { topic, partition, key, value: String(message.body), headers }
}
