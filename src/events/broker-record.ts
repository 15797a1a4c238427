import type { BrokerRecord } from './broker.ts'
import { eventsError } from './errors.ts'
import type { LoggedEvent } from './segment.ts'
import { streamOf } from './stream.ts'

/**
 * An event as a broker carries it: the payload as value, CloudEvents 1.0 in binary mode as headers, so that other
 * programs can read it, and three extensions of ours:
 *   ce_dataversion  of the event's type, as in the structured form of cloud-event.ts
 *   ce_bucket       of the key, which the key as text no longer tells
 *   ce_place        `<source>:<offset>:<after>`: the shard whose log it comes from, its offset there, and the place
 *                   that follows the record before it in the same partition, 0 for the first
 * The prefix is Kafka's; engines/rabbitmq-message.ts makes AMQP's of it. Source: CloudEvents 1.0.2 and its Kafka
 * protocol binding, section 3.2.
 */
export type PlacedEvent = {
  readonly source: number
  /** What the reader must have reached already: the offset after the previous one of the stream. */
  readonly after: number
  readonly event: LoggedEvent
}

export function recordOf(
  { topic, offset, envelope }: LoggedEvent,
  place: { readonly source: number; readonly partition: number; readonly after: number },
): BrokerRecord {
  const { id, version, key, bucket, payload, traceparent, occurredAtMs } = envelope
  return {
    topic,
    partition: place.partition,
    key,
    value: JSON.stringify(payload),
    headers: {
      ce_specversion: '1.0',
      ce_id: id,
      ce_type: topic,
      ce_source: `/shards/${place.source}`,
      ce_subject: key,
      ce_time: new Date(occurredAtMs).toISOString(),
      ce_dataversion: String(version),
      ...(traceparent === '' ? {} : { ce_traceparent: traceparent }),
      ce_bucket: String(bucket),
      ce_place: `${place.source}:${offset}:${place.after}`,
      'content-type': 'application/json',
    },
  }
}

const PLACE = /^(\d{1,5}):(\d{1,16}):(\d{1,16})$/

/** Throws EVENTS_RECORD_UNREADABLE for what no forwarder wrote. */
export function placedEvent(record: BrokerRecord): PlacedEvent {
  const { topic, partition, key, headers } = record
  const place = PLACE.exec(headers.ce_place ?? '')
  const occurredAtMs = Date.parse(headers.ce_time ?? '')
  const version = Number(headers.ce_dataversion)
  const { ce_id: id, ce_bucket: bucket } = headers
  if (
    place === null ||
    id === undefined ||
    bucket === undefined ||
    Number.isNaN(occurredAtMs) ||
    !(Number.isInteger(version) && version >= 1)
  ) {
    throw unreadable(record, 'its headers are not those of a forwarder')
  }
  const [, source, offset, after] = place.map(Number) as [number, number, number, number]
  const envelope = {
    id,
    type: topic,
    version,
    key,
    bucket: Number(bucket),
    payload: payloadOf(record),
    traceparent: headers.ce_traceparent ?? '',
    occurredAtMs,
  }
  return { source, after, event: { topic, stream: streamOf(topic, partition), offset, envelope } }
}

function payloadOf(record: BrokerRecord): unknown {
  try {
    return JSON.parse(record.value)
  } catch (cause) {
    throw unreadable(record, 'its value is no JSON', cause)
  }
}

function unreadable({ topic, partition, key }: BrokerRecord, why: string, cause?: unknown) {
  const what = `a record of key "${key.slice(0, 100)}" in partition ${partition} of ${topic}`
  return eventsError('EVENTS_RECORD_UNREADABLE', `${what}: ${why}`, cause === undefined ? {} : { cause })
}
