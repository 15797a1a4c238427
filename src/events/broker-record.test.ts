import assert from 'node:assert/strict'
import { test } from 'node:test'
import { placedEvent, recordOf } from './broker-record.ts'
import { CLOUD_EVENT_MEDIA_TYPE } from './cloud-event.ts'
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

test('a record is a CloudEvent 1.0 in structured mode: one JSON text, named by its content type', () => {
  const { value, ...rest } = RECORD
  const headers = { 'content-type': CLOUD_EVENT_MEDIA_TYPE }
  assert.deepEqual(rest, { topic: 'order.placed', partition: 7, key: '12345', headers })
  assert.deepEqual(JSON.parse(value), {
    specversion: '1.0',
    id: '01981f2e-0000-7000-8000-000000000001',
    type: 'order.placed',
    source: '/shards/3',
    subject: '12345',
    time: '2025-11-25T19:46:40.123Z',
    datacontenttype: 'application/json',
    dataversion: 2,
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    bucket: 2265,
    place: '3:1234:1200',
    data: { orderId: 'a', totalCents: 700 },
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
  assert.ok(!('traceparent' in JSON.parse(record.value)))
  assert.equal(placedEvent(record).event.envelope.traceparent, '')
})

test('on RabbitMQ the media type is a property of the message, and the key a header', () => {
  const envelope = envelopeOf(RECORD, { exchange: 'shop.order.placed', mandatory: true })
  assert.deepEqual(envelope, {
    exchange: 'shop.order.placed',
    mandatory: true,
    routingKey: '7',
    durable: true,
    contentType: CLOUD_EVENT_MEDIA_TYPE,
    contentEncoding: 'utf-8',
    headers: { 'groundswell-key': '12345' },
  })
  const arrived = { ...envelope, body: RECORD.value, headers: { ...envelope.headers, 'x-delivery-count': 2 } }
  assert.deepEqual(recordOfMessage(arrived, { topic: 'order.placed', partition: 7 }), RECORD)
})

test('a record that no forwarder wrote is refused, with its topic, partition and key', () => {
  const but = (attributes: object) => JSON.stringify({ ...JSON.parse(RECORD.value), ...attributes })
  for (const value of [
    '',
    'null',
    '{}',
    but({ place: '3:1234' }),
    but({ time: 'yesterday' }),
    but({ dataversion: 'two' }),
    but({ dataversion: 0 }),
    but({ bucket: '2265' }),
    but({ traceparent: 7 }),
  ]) {
    assert.throws(() => placedEvent({ ...RECORD, value }), {
      code: 'EVENTS_RECORD_UNREADABLE',
      message: /key "12345" in partition 7 of order\.placed/,
    })
  }
})
