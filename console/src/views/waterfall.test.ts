import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Span } from '../../../src/telemetry/index.ts'
import { waterfallOf } from './waterfall.ts'

type Placed = readonly [spanId: string, parentSpanId: string | undefined, startedAtMs: number, durationMs?: number]

function span(...[spanId, parentSpanId, startedAtMs, durationMs = 10]: Placed): Span {
  const rest = { traceId: 't', name: spanId, service: 's', kind: 'internal', failed: false, attributes: {} } as const
  return { ...rest, spanId, parentSpanId, startedAtMs, durationMs }
}

const shape = (spans: readonly Span[]) => waterfallOf(spans).rows.map(({ span: { spanId }, depth }) => [spanId, depth])

test('spans stand below their parents, in order of start', () => {
  const spans = [
    span('late', 'root', 30),
    span('root', undefined, 0),
    span('early', 'root', 5),
    span('leaf', 'late', 31),
  ]
  assert.deepEqual(shape(spans), [
    ['root', 0],
    ['early', 1],
    ['late', 1],
    ['leaf', 2],
  ])
})

test('a span whose parent is not kept, or that is its own ancestor, is shown once', () => {
  assert.deepEqual(shape([span('orphan', 'gone', 0)]), [['orphan', 0]])
  assert.deepEqual(shape([span('a', 'b', 0), span('b', 'a', 1)]), [
    ['a', 0],
    ['b', 1],
  ])
})

test('a span lies where it happened: the last consumer ends after the request did', () => {
  const { rows, durationMs } = waterfallOf([span('request', undefined, 100, 20), span('consumer', 'request', 150, 50)])
  assert.equal(durationMs, 100)
  assert.deepEqual(
    rows.map(({ left, width }) => [left, width]),
    [
      [0, 0.2],
      [0.5, 0.5],
    ],
  )
})
