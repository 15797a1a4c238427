import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { EventEnvelope } from '../core/index.ts'
import { toCloudEvent } from './cloud-event.ts'

const placed: EventEnvelope = {
  id: '01997d5e-0000-7000-8000-0000000008d9',
  type: 'order.placed',
  version: 2,
  key: '12345',
  bucket: 2265,
  payload: { orderId: 'o-1', lines: [{ sku: 'poncho', quantity: 1 }], note: 'für Zoë' },
  traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
  occurredAtMs: Date.UTC(2026, 1, 3, 4, 5, 6, 789),
}

test('an event in the structured JSON form of CloudEvents 1.0', () => {
  const about = { source: '/shop/order-service', dataSchema: 'https://shop.example/schemas/order.placed/2' }
  assert.equal(
    JSON.stringify(toCloudEvent(placed, about), null, 2),
    `{
  "specversion": "1.0",
  "id": "01997d5e-0000-7000-8000-0000000008d9",
  "source": "/shop/order-service",
  "type": "order.placed",
  "subject": "12345",
  "time": "2026-02-03T04:05:06.789Z",
  "datacontenttype": "application/json",
  "dataschema": "https://shop.example/schemas/order.placed/2",
  "dataversion": 2,
  "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
  "data": {
    "orderId": "o-1",
    "lines": [
      {
        "sku": "poncho",
        "quantity": 1
      }
    ],
    "note": "für Zoë"
  }
}`,
  )
})

test('attributes that an event has no value for are absent, not empty', () => {
  const event = toCloudEvent({ ...placed, traceparent: '' }, { source: '/shop' })
  assert.deepEqual(Object.keys(event).sort(), [
    'data',
    'datacontenttype',
    'dataversion',
    'id',
    'source',
    'specversion',
    'subject',
    'time',
    'type',
  ])
})

test('names of attributes are lower-case letters and digits, as every protocol binding can carry them', () => {
  const event = toCloudEvent(placed, { source: '/shop', dataSchema: 'https://shop.example' })
  for (const name of Object.keys(event)) assert.match(name, /^[a-z0-9]{1,20}$/)
})
