import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Histogram } from './index.ts'
import { decodeSecond, encodeSecond, type Second } from './second.ts'

function secondWith(latency: Uint8Array): Second {
  return {
    atMs: 1_800_000_000_000,
    all: undefined,
    routes: [{ service: 'order-service', route: 'POST /orders', latency, errors: 2 }],
    journeys: [],
    services: [
      {
        service: 'order-service',
        requests: 100,
        events: 0,
        deliveryAge: undefined,
        httpErrors: 2,
        applicationErrors: 0,
        databaseErrors: 0,
      },
    ],
    shards: [],
    instances: [],
    lag: [],
    traffic: [{ kind: 'route', id: 'r1', name: '', latency, statuses: { '202': 98, '500': 2 } }],
    rejections: [{ plugin: 'p1', requests: 7 }],
    degradations: [{ instance: 'host:1:a', part: 'broker', message: 'it is away', sinceMs: 1_799_999_000_000 }],
  }
}

function hundredRequests(): Histogram {
  const histogram = new Histogram()
  for (let n = 0; n < 100; n++) histogram.record(900 + ((n * 7_919) % 4_000))
  return histogram
}

test('a second is the same after it was sent', () => {
  const second = secondWith(hundredRequests().encode())
  assert.deepEqual(decodeSecond(encodeSecond(second)), second)
})

test('a second of the version before, which tells no degradations, is read', () => {
  const { degradations: _, ...older } = secondWith(hundredRequests().encode())
  const payload = JSON.parse(Buffer.from(encodeSecond({ ...older, degradations: [] })).toString())
  delete payload.second.degradations
  const second = decodeSecond(Buffer.from(JSON.stringify(payload)))
  assert.deepEqual(second, { ...older, degradations: [] })
})

test('a histogram of 100 requests takes a few hundred bytes and loses nothing', () => {
  const histogram = hundredRequests()
  const encoded = histogram.encode()
  const again = new Histogram()
  again.add(encoded)
  assert.deepEqual(again.summary(), histogram.summary())
  assert.ok(encoded.length < 300, `${encoded.length} bytes`)
})

test('counts beyond 32 bits and gaps over every bucket survive encoding', () => {
  const histogram = new Histogram()
  histogram.record(0)
  histogram.record(2 ** 31)
  const encoded = histogram.encode()
  const many = new Histogram()
  for (let power = 0; power < 40; power++) {
    many.merge(histogram)
    histogram.merge(many)
  }
  const again = new Histogram()
  again.add(histogram.encode())
  assert.equal(again.count, histogram.count)
  assert.ok(again.count > 2 ** 33)
  assert.ok(encoded.length < 40)
})

test('what is no second of ours is refused, and never thrown on', () => {
  const good = encodeSecond(secondWith(hundredRequests().encode()))
  const text = Buffer.from(good).toString()
  const broken = [
    Buffer.from(''),
    Buffer.from('{'),
    Buffer.from('null'),
    Buffer.from(text.replace('"version":1', '"version":2')),
    Buffer.from(text.replace('"errors":2', '"errors":-2')),
    encodeSecond(secondWith(Buffer.from('no histogram'))),
    encodeSecond(secondWith(new Uint8Array(1_000).fill(0xff))),
    good.subarray(0, good.length - 10),
  ]
  for (const payload of broken)
    assert.equal(decodeSecond(payload), undefined, Buffer.from(payload).toString().slice(0, 60))
})
