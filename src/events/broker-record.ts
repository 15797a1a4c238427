import type { BrokerRecord } from './broker.ts'
import { CLOUD_EVENT_MEDIA_TYPE } from './cloud-event.ts'
import { eventsError } from './errors.ts'
import type { LoggedEvent } from './segment.ts'

/**
 * An event as a broker carries it: CloudEvents 1.0 in structured mode, so that other programs can read it. The value is
 * one JSON text with all attributes, the payload as `data`, and two extensions of ours:
 *   bucket  of the key, which the key as text no longer tells
 *   place   `<source>:<offset>:<after>`: the shard whose log it comes from, its offset there, and the place that
 *           follows the record before it in the same partition, 0 for the first
 * In binary mode each attribute is a header, and clients handle each header by itself: of an event's cost at a broker,
 * writing and reading, they were the larger part.
 * Source: CloudEvents 1.0, its JSON format and its Kafka and AMQP protocol bindings.
 */
export type PlacedEvent = {
  readonly source: number
  /** What the reader must have reached already: the offset after the previous one of the stream. */
  readonly after: number
  readonly event: LoggedEvent
}

/** The name of a partition among the positions of one source shard. */
export function streamOf(topic: string, partition: number): string {
  return `${topic}/${partition}`
}

export function recordOf(
  { topic, offset, envelope }: LoggedEvent,
  place: { readonly source: number; readonly partition: number; readonly after: number },
): BrokerRecord {
  const { id, version, key, bucket, payload, traceparent, occurredAtMs } = envelope
  const record: WrittenEvent = {
    specversion: '1.0',
    id,
    type: topic,
    source: `/shards/${place.source}`,
    subject: key,
    time: new Date(occurredAtMs).toISOString(),
    dataschema: `${SCHEMA_PREFIX}${topic}:${version}`,
    datacontenttype: 'application/json',
    traceparent,
    bucket,
    place: `${place.source}:${offset}:${place.after}`,
    data: payload,
  }
  return { topic, partition: place.partition, key, value: JSON.stringify(record), headers: HEADERS }
}

type WrittenEvent = Readonly<Record<(typeof TEXTS)[number], string>> & {
  readonly bucket: number
  readonly data: unknown
}

/** The attributes that are text. */
const TEXTS = [
  'specversion',
  'id',
  'type',
  'source',
  'subject',
  'time',
  'dataschema',
  'datacontenttype',
  'traceparent',
  'place',
] as const

const HEADERS = { 'content-type': CLOUD_EVENT_MEDIA_TYPE }
const SCHEMA_PREFIX = 'urn:event:'
const PLACE = /^(\d{1,5}):(\d{1,16}):(\d{1,16})$/

/** Throws EVENTS_RECORD_UNREADABLE for what no forwarder wrote. */
export function placedEvent(record: BrokerRecord): PlacedEvent {
  const { topic, partition, key } = record
  const written = writtenEvent(record)
  const place = PLACE.exec(written.place)
  const occurredAtMs = Date.parse(written.time)
  const version = Number(written.dataschema.slice(written.dataschema.lastIndexOf(':') + 1))
  if (place === null || Number.isNaN(occurredAtMs) || !(version >= 1)) {
    throw unreadable(record, 'its attributes are not those of a forwarder')
  }
  const [, source, offset, after] = place.map(Number) as [number, number, number, number]
  const { id, bucket, traceparent, data: payload } = written
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
  const written = value as WrittenEvent
  const isWritten =
    typeof value === 'object' && value !== null && TEXTS.every((name) => typeof written[name] === 'string')
  if (!isWritten || !Number.isInteger(written.bucket)) throw unreadable(record, 'its value is no event of a forwarder')
  return written
}

function unreadable({ topic, partition, key }: BrokerRecord, why: string, cause?: unknown) {
  const what = `a record of key "${key.slice(0, 100)}" in partition ${partition} of ${topic}`
  return eventsError('EVENTS_RECORD_UNREADABLE', `${what}: ${why}`, cause === undefined ? {} : { cause })
}
