import type { BrokerRecord } from './broker.ts'
import { CLOUD_EVENT_MEDIA_TYPE, type CloudEvent, toCloudEvent } from './cloud-event.ts'
import { eventsError } from './errors.ts'
import type { LoggedEvent } from './segment.ts'
import { streamOf } from './stream.ts'

/**
 * An event as a broker carries it: CloudEvents 1.0 in structured mode, so that other programs can read it. The value is
 * one JSON text, that of cloud-event.ts with two more extensions of ours:
 *   bucket  of the key, which the key as text no longer tells
 *   place   `<source>:<offset>:<after>`: the shard whose log it comes from, its offset there, and the place that
 *           follows the record before it in the same partition, 0 for the first
 * In binary mode each attribute is a header, and clients handle each header by itself: of an event's cost at a broker,
 * writing and reading, they were the larger part.
 * Source: CloudEvents 1.0.2, its JSON event format and its Kafka and AMQP protocol bindings.
 */
export type PlacedEvent = {
  readonly source: number
  /** What the reader must have reached already: the offset after the previous one of the stream. */
  readonly after: number
  readonly event: LoggedEvent
}

type WrittenEvent = CloudEvent & { readonly bucket: number; readonly place: string }

const HEADERS = { 'content-type': CLOUD_EVENT_MEDIA_TYPE }

export function recordOf(
  { topic, offset, envelope }: LoggedEvent,
  { source, partition, after }: { readonly source: number; readonly partition: number; readonly after: number },
): BrokerRecord {
  const written: WrittenEvent = {
    ...toCloudEvent(envelope, { source: `/shards/${source}` }),
    bucket: envelope.bucket,
    place: `${source}:${offset}:${after}`,
  }
  return { topic, partition, key: envelope.key, value: JSON.stringify(written), headers: HEADERS }
}

const PLACE = /^(\d{1,5}):(\d{1,16}):(\d{1,16})$/

/** Throws EVENTS_RECORD_UNREADABLE for what no forwarder wrote. */
export function placedEvent(record: BrokerRecord): PlacedEvent {
  const { topic, partition, key } = record
  const { id, bucket, traceparent = '', data: payload, ...written } = writtenEvent(record)
  const place = PLACE.exec(written.place)
  const occurredAtMs = Date.parse(written.time)
  const version = written.dataversion
  if (place === null || Number.isNaN(occurredAtMs) || !(Number.isInteger(version) && version >= 1)) {
    throw unreadable(record, 'its attributes are not those of a forwarder')
  }
  const [, source, offset, after] = place.map(Number) as [number, number, number, number]
  const envelope = { id, type: topic, version, key, bucket, payload, traceparent, occurredAtMs }
  return { source, after, event: { topic, stream: streamOf(topic, partition), offset, envelope } }
}

function writtenEvent(record: BrokerRecord): WrittenEvent {
  let value: unknown
  try {
    value = JSON.parse(record.value)
  } catch (cause) {
    throw unreadable(record, 'its value is no JSON', cause)
  }
  if (!isWritten(value)) throw unreadable(record, 'its value is no event of a forwarder')
  return value
}

function isWritten(value: unknown): value is WrittenEvent {
  if (typeof value !== 'object' || value === null) return false
  const { id, time, place, traceparent = '', bucket } = value as Partial<WrittenEvent>
  const texts = [id, time, place, traceparent]
  return texts.every((text) => typeof text === 'string') && Number.isInteger(bucket)
}

function unreadable({ topic, partition, key }: BrokerRecord, why: string, cause?: unknown) {
  const what = `a record of key "${key.slice(0, 100)}" in partition ${partition} of ${topic}`
  return eventsError('EVENTS_RECORD_UNREADABLE', `${what}: ${why}`, cause === undefined ? {} : { cause })
}
