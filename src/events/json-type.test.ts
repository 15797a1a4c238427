import assert from 'node:assert/strict'
import { test } from 'node:test'
import { z } from 'zod'
import { event } from '../core/index.ts'
import { holdsJsonOnly } from './json-type.ts'
import { decodeSegment, encodeRecord } from './segment.ts'

const byId = { key: ({ id }: { id: number }) => id }

test('a type of numbers, texts and lists is JSON; one with a date, a big integer, a map or whatever comes is not', () => {
  const json = event('test.json', 1, z.object({ id: z.int(), tags: z.array(z.string()), at: z.iso.datetime() }), byId)
  assert.equal(holdsJsonOnly(json), true)
  assert.equal(holdsJsonOnly(event('test.date', 1, z.object({ id: z.int(), at: z.date() }), byId)), false)
  assert.equal(holdsJsonOnly(event('test.big', 1, z.object({ id: z.int(), n: z.bigint() }), byId)), false)
  assert.equal(holdsJsonOnly(event('test.any', 1, z.object({ id: z.int(), more: z.unknown() }), byId)), false)
  assert.equal(holdsJsonOnly(event('test.loose', 1, z.looseObject({ id: z.int() }), byId)), false)
  const map = z.object({ id: z.int(), m: z.map(z.string(), z.int()) })
  assert.equal(holdsJsonOnly(event('test.map', 1, map, byId)), false)
})

test('a segment that this process emitted reads as the same events as its text', () => {
  const type = event('test.same', 1, z.object({ id: z.int(), note: z.string().optional() }), byId)
  const envelopes = [1, 2].map((id) => ({
    id: `0190-${id}`,
    type: 'test.same',
    version: 1,
    bucket: id,
    key: String(id),
    traceparent: 'trace',
    occurredAtMs: id,
    payload: { id },
  }))
  const segment = {
    id: 'first',
    topic: 'test.same',
    lastOffset: 8,
    events: 2,
    records: `[${envelopes.map((envelope) => encodeRecord(envelope)).join(',')}]`,
  }
  const emitted = envelopes.map((envelope) => ({ envelope, type }))
  const plain = ({ offset, envelope }: { offset: number; envelope: unknown }) => ({ offset, envelope })
  assert.deepEqual(decodeSegment({ ...segment, emitted }).map(plain), decodeSegment(segment).map(plain))
})
