import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TAIL_EVENTS_MAX } from './limits.ts'
import { encodeRecord, type Segment } from './segment.ts'
import { Tail } from './tail.ts'

const TOPIC = 'test.tick'

describe('the tail of a log in memory', () => {
  test('a reader gets the events from its offset on, across segments, up to its maximum', () => {
    const tail = tailWith(segment(0, 3), segment(3, 4))
    assert.deepEqual(offsets(tail, 2, 3), [2, 3, 4])
    assert.deepEqual(offsets(tail, 5, 10), [5, 6])
    assert.deepEqual(offsets(tail, 7, 10), [])
  })

  test('it knows that nothing is new, and that a topic was never written', () => {
    const tail = new Tail()
    tail.join('readers', [TOPIC, 'test.tock'])
    tail.prime(new Map([[TOPIC, 40]]))
    assert.deepEqual(offsets(tail, 40, 10), [])
    assert.deepEqual(tail.read('readers', 'test.tock', { offset: 0, max: 10 }), [])
  })

  test('what it does not hold must be read from the log', () => {
    const tail = new Tail()
    tail.join('readers', [TOPIC])
    assert.equal(offsets(tail, 0, 10), undefined, 'another process sequences')
    tail.prime(new Map([[TOPIC, 5]]))
    assert.equal(offsets(tail, 4, 10), undefined, 'older than the tail')
    tail.append([segment(5, 2)])
    assert.equal(offsets(tail, 4, 10), undefined)
    assert.deepEqual(offsets(tail, 5, 10), [5, 6])
    tail.clear()
    assert.equal(offsets(tail, 5, 10), undefined)
  })

  test('it lets go of what every reader has passed, and of the oldest beyond its limit', () => {
    const tail = tailWith(segment(0, 2), segment(2, 2))
    tail.join('others', [TOPIC])
    offsets(tail, 4, 10)
    assert.deepEqual(offsets(tail, 0, 10), [0, 1, 2, 3], 'others have not read yet')
    tail.read('others', TOPIC, { offset: 2, max: 1 })
    offsets(tail, 4, 10)
    assert.equal(offsets(tail, 0, 10), undefined)
    assert.deepEqual(offsets(tail, 2, 10), [2, 3])
    const start = 4
    for (let at = start; at < start + TAIL_EVENTS_MAX; at += 1_000) tail.append([segment(at, 1_000)])
    assert.equal(offsets(tail, 2, 10), undefined)
    assert.deepEqual(offsets(tail, start, 1), [start])
  })

  test('a gap sends readers to the log, and none of them past it', () => {
    const tail = tailWith(segment(0, 3))
    tail.join('others', [TOPIC])
    offsets(tail, 3, 10)
    tail.append([segment(6, 2)])
    assert.equal(offsets(tail, 3, 10), undefined)
    assert.equal(tail.read('others', TOPIC, { offset: 0, max: 10 }), undefined)
    assert.deepEqual(offsets(tail, 6, 10), [6, 7])
  })

  test('events are parsed once for all readers', () => {
    const tail = tailWith(segment(0, 2))
    tail.join('others', [TOPIC])
    const range = { offset: 0, max: 2 }
    assert.equal(tail.read('readers', TOPIC, range)?.[0], tail.read('others', TOPIC, range)?.[0])
  })
})

function tailWith(...segments: Segment[]): Tail {
  const tail = new Tail()
  tail.join('readers', [TOPIC])
  tail.prime(new Map())
  tail.append(segments)
  return tail
}

function offsets(tail: Tail, offset: number, max: number): number[] | undefined {
  return tail.read('readers', TOPIC, { offset, max })?.map((event) => event.offset)
}

function segment(first: number, events: number): Segment {
  const record = encodeRecord({
    id: 'id',
    version: 1,
    bucket: 0,
    key: '0',
    traceparent: '',
    occurredAtMs: 0,
    payload: {},
  })
  return {
    id: `${first}`,
    topic: TOPIC,
    lastOffset: first + events - 1,
    events,
    records: `[${Array(events).fill(record).join(',')}]`,
  }
}
