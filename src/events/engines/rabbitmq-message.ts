import type { AsyncMessage, Envelope } from 'rabbitmq-client'
import type { BrokerRecord } from '../broker.ts'
import type { RabbitMqQueue } from './rabbitmq-topology.ts'

/** The header with the key of a record, since AMQP has no place for it. */
const KEY = 'groundswell-key'

/** The one header of a record that AMQP has a property for. */
const TYPE = 'content-type'

export type MessagePlace = { readonly exchange: string; readonly mandatory: boolean }

/** A record as a durable message. Says the encoding, or else the driver parses JSON on arrival. */
export function envelopeOf(record: BrokerRecord, { exchange, mandatory }: MessagePlace): Envelope {
  const { [TYPE]: contentType = 'application/json', ...headers } = record.headers
  return {
    exchange,
    mandatory,
    routingKey: String(record.partition),
    durable: true,
    contentType,
    contentEncoding: 'utf-8',
    headers: { ...headers, [KEY]: record.key },
  }
}

/** Headers that are no text are RabbitMQ's own, such as the count of deliveries. */
export function recordOf(
  { headers: sent = {}, contentType, body }: Pick<AsyncMessage, 'headers' | 'contentType' | 'body'>,
  { topic, partition }: Pick<RabbitMqQueue, 'topic' | 'partition'>,
): BrokerRecord {
  const headers: Record<string, string> = contentType === undefined ? {} : { [TYPE]: contentType }
  let key = ''
  for (const [name, value] of Object.entries(sent)) {
    if (typeof value !== 'string') continue
    if (name === KEY) key = value
    else headers[name] = value
  }
  return { topic, partition, key, value: String(body), headers }
}
