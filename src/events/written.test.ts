import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WRITTEN_CHARS_MAX } from './limits.ts'
import { WrittenSegments } from './written.ts'

const segment = (id: string, chars: number) => ({ id, records: 'x'.repeat(chars) })

test('segments are known by shard until they are forgotten', () => {
  const written = new WrittenSegments()
  written.add(0, [segment('a', 1), segment('b', 2)])
  written.add(1, [segment('c', 3)])
  const before = written.of(0)
  written.forget(0, ['a', 'unknown'])
  assert.deepEqual([...before.keys()], ['a', 'b'])
  assert.deepEqual([...written.of(0).keys()], ['b'])
  assert.deepEqual([...written.of(1).keys()], ['c'])
  assert.equal(written.of(2).size, 0)
})

test('at the bound the oldest segments of a shard are let go, those of others stay', () => {
  const written = new WrittenSegments()
  written.add(1, [segment('other', 10)])
  const half = Math.ceil(WRITTEN_CHARS_MAX / 2)
  for (const id of ['a', 'b', 'c']) written.add(0, [segment(id, half - 1)])
  assert.deepEqual([...written.of(0).keys()], ['b', 'c'])
  written.forget(0, ['b'])
  written.add(0, [segment('d', half - 1)])
  assert.deepEqual([...written.of(0).keys()], ['c', 'd'])
  assert.deepEqual([...written.of(1).keys()], ['other'])
})
