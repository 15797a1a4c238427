import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placedEvent, recordOf } from './broker-record.ts'
import { toCloudEvent } from './cloud-event.ts'
import { envelopeOf, recordOf as recordOfMessage } from './engines/rabbitmq-message.ts'
import type { LoggedEvent } from './segment.ts'

const EVENT: LoggedEvent = {
  topic: 'order.placed',
  stream: 'order.placed',
  offset: 1234,
  envelope: {
    id: '01981f2e-0000-7000-8000-000000000001',
    type: 'order.placed',
    version: 2,
    key: '12345',
    bucket: 2265,
    payload: { orderId: 'a', totalCents: 700 },
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    occurredAtMs: 1_764_100_000_123,
  },
}
const RECORD = recordOf(EVENT, { source: 3, partition: 7, after: 1200 })

test('a record carries the attributes of CloudEvents 1.0 as headers and the payload alone as value', () => {
  assert.deepEqual(RECORD, {
    topic: 'order.placed',
    partition: 7,
    key: '12345',
    value: '{"orderId":"a","totalCents":700}',
    headers: {
      ce_specversion: '1.0',
      ce_id: '01981f2e-0000-7000-8000-000000000001',
      ce_type: 'order.placed',
      ce_source: '/shards/3',
      ce_subject: '12345',
      ce_time: '2025-11-25T19:46:40.123Z',
      ce_dataversion: '2',
      ce_traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      ce_bucket: '2265',
      ce_place: '3:1234:1200',
      'content-type': 'application/json',
    },
  })
})

test('an event read back from its record is the same, in the stream of its partition', () => {
  assert.deepEqual(placedEvent(RECORD), {
    source: 3,
    after: 1200,
    event: { ...EVENT, stream: 'order.placed/7' },
  })
})

test('an attribute without a value is left out of the record, and empty in the event read back', () => {
  const untraced = { ...EVENT, envelope: { ...EVENT.envelope, traceparent: '' } }
  const record = recordOf(untraced, { source: 3, partition: 7, after: 1200 })
  assert.ok(!('ce_traceparent' in record.headers))
  assert.equal(placedEvent(record).event.envelope.traceparent, '')
})

test('a record says of an event what the structured form says, attribute for attribute', () => {
  const { data, datacontenttype, ...attributes } = toCloudEvent(EVENT.envelope, { source: '/shards/3' })
  const { 'content-type': contentType, ce_bucket, ce_place, ...headers } = RECORD.headers
  const prefixed = Object.entries(attributes).map(([name, value]) => [`ce_${name}`, String(value)])
  assert.deepEqual(Object.fromEntries(prefixed), headers)
  assert.equal(datacontenttype, contentType)
  assert.deepEqual(data, JSON.parse(RECORD.value))
})

test('on RabbitMQ the attributes have the prefix of the AMQP binding, and the media type is a property', () => {
  const envelope = envelopeOf(RECORD, { exchange: 'shop.order.placed', mandatory: true })
  assert.deepEqual(envelope, {
    exchange: 'shop.order.placed',
    mandatory: true,
    routingKey: '7',
    durable: true,
    contentType: 'application/json',
    contentEncoding: 'utf-8',
    headers: {
      'cloudEvents:specversion': '1.0',
      'cloudEvents:id': '01981f2e-0000-7000-8000-000000000001',
      'cloudEvents:type': 'order.placed',
      'cloudEvents:source': '/shards/3',
      'cloudEvents:subject': '12345',
      'cloudEvents:time': '2025-11-25T19:46:40.123Z',
      'cloudEvents:dataversion': '2',
      'cloudEvents:traceparent': '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
      'cloudEvents:bucket': '2265',
      'cloudEvents:place': '3:1234:1200',
      'groundswell-key': '12345',
    },
  })
  const arrived = { ...envelope, body: RECORD.value, headers: { ...envelope.headers, 'x-delivery-count': 2 } }
  assert.deepEqual(recordOfMessage(arrived, { topic: 'order.placed', partition: 7 }), RECORD)
})

test('a record that no forwarder wrote is refused, with its topic, partition and key', () => {
  const headers = RECORD.headers
  for (const record of [
    { ...RECORD, headers: {} },
    { ...RECORD, headers: { ...headers, ce_place: '3:1234' } },
    { ...RECORD, headers: { ...headers, ce_time: 'yesterday' } },
    { ...RECORD, headers: { ...headers, ce_dataversion: 'two' } },
    { ...RECORD, headers: { ...headers, ce_dataversion: '0' } },
    { ...RECORD, value: '' },
  ]) {
    assert.throws(() => placedEvent(record), {
      code: 'EVENTS_RECORD_UNREADABLE',
      message: /key "12345" in partition 7 of order\.placed/,
    })
  }
})
