import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isSampled, spanIdOf, traceIdOf } from '../core/index.ts'
import { encodeRecord } from './segment.ts'
import { tracedIn } from './traced.ts'

const TRACE = '0af7651916cd43dd8448eb211c80319c'
const KEPT = `00-${TRACE}-b7ad6b7169203331-01`
const UNKEPT = `00-${TRACE}-b7ad6b7169203331-00`

function segmentOf(...records: { traceparent: string; payload?: unknown; occurredAtMs?: number; key?: string }[]) {
  const texts = records.map((record, index) =>
    encodeRecord({
      id: `019a5e00-0000-7000-8000-00000000000${index}`,
      version: 1,
      bucket: 7,
      key: '12345',
      occurredAtMs: Date.now() - 500,
      payload: {},
      ...record,
    }),
  )
  return { id: 'x', topic: 'order.placed', lastOffset: 9, events: records.length, records: `[${texts.join(',')}]` }
}

test('of a segment the events of kept traces are told, each with how long it waited', () => {
  const traced = tracedIn(segmentOf({ traceparent: UNKEPT }, { traceparent: KEPT }, { traceparent: '' }))
  assert.equal(traced.length, 1)
  const [event] = traced
  assert.deepEqual([event?.topic, event?.parent], ['order.placed', KEPT])
  assert.ok(isSampled(event?.traceparent ?? ''))
  assert.equal(traceIdOf(event?.traceparent ?? ''), TRACE)
  assert.notEqual(spanIdOf(event?.traceparent ?? ''), spanIdOf(KEPT))
  assert.ok((event?.durationMs ?? 0) >= 499)
})

test('keys and payloads that only resemble a traceparent make no span', () => {
  const texts = ['-01', 'x-01",', '"-01",1234567890123', `${'z'.repeat(52)}-01`, '-01",-01",-01"']
  const records = texts.map((text) => ({ traceparent: UNKEPT, key: text, payload: { text, list: [text, 1] } }))
  assert.deepEqual(tracedIn(segmentOf(...records)), [])
})

test('a time ahead of this clock is a wait of nothing', () => {
  assert.equal(tracedIn(segmentOf({ traceparent: KEPT, occurredAtMs: Date.now() + 60_000 }))[0]?.durationMs, 0)
})
