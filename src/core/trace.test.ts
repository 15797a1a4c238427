import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { test } from 'node:test'
import { childContext, contextFrom, newContext } from './context.ts'
import { childTraceparent, isSampled, newSpanId, parseTraceparent, spanIdOf, traceIdOf } from './trace.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'
const OURS = /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[01]$/

test('a traceparent is read in whatever version, and of its flags only whether the trace is kept', () => {
  const read: [string, string | undefined][] = [
    [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
    [`00-${TRACE}-${SPAN}-00`, `00-${TRACE}-${SPAN}-00`],
    [`00-${TRACE}-${SPAN}-0b`, `00-${TRACE}-${SPAN}-01`],
    [`00-${TRACE}-${SPAN}-fa`, `00-${TRACE}-${SPAN}-00`],
    [`cc-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-brings`, `00-${TRACE}-${SPAN}-01`],
    [`cc-${TRACE}-${SPAN}-01-${'x'.repeat(300)}`, undefined],
    [`cc-${TRACE}-${SPAN}-01.x`, undefined],
    [`00-${TRACE}-${SPAN}-01-more`, undefined],
    [`ff-${TRACE}-${SPAN}-01`, undefined],
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`, undefined],
    [`00-${'0'.repeat(32)}-${SPAN}-01`, undefined],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, undefined],
    [`00-${TRACE}-${SPAN}-01\n`, undefined],
  ]
  for (const [value, expected] of read) assert.equal(parseTraceparent(value), expected, value)
})

test('a child has a span of its own in the same trace; where nothing is kept, nothing is made', () => {
  const parent = `00-${TRACE}-${SPAN}-01`
  const child = childTraceparent(parent)
  assert.match(child, OURS)
  assert.deepEqual([traceIdOf(child), isSampled(child)], [TRACE, true])
  assert.notEqual(spanIdOf(child), SPAN)
  const unkept = newContext()
  assert.equal(isSampled(unkept.traceparent), false)
  assert.equal(childContext(unkept), unkept)
  const kept = { traceparent: parent, deadlineAtMs: 7 }
  assert.equal(childContext(kept).deadlineAtMs, 7)
  assert.notEqual(childContext(kept).traceparent, parent)
  assert.equal(isSampled(''), false)
})

test('span ids are not repeated', () => {
  assert.equal(new Set(Array.from({ length: 100_000 }, newSpanId)).size, 100_000)
})

test('whatever comes as a traceparent, a context has a valid one, and nothing throws', () => {
  const valid = `00-${TRACE}-${SPAN}-01`
  for (let round = 0; round < 100_000; round++) {
    const value = mutated(valid)
    const { traceparent } = contextFrom({ traceparent: value as string })
    const shown = JSON.stringify(value)
    assert.match(traceparent, OURS, shown)
    if (parseTraceparent(value) === undefined) assert.notEqual(traceIdOf(traceparent), TRACE, shown)
  }
})

/** A valid value with a few characters changed, cut or added; now and then something else entirely. */
function mutated(valid: string): unknown {
  const kind = randomInt(20)
  if (kind === 0) return randomBytes(randomInt(80)).toString('latin1')
  if (kind === 1) return [valid, valid]
  if (kind === 2) return undefined
  const characters = [...valid]
  for (let change = randomInt(4); change >= 0; change--) {
    const at = randomInt(characters.length)
    characters.splice(at, randomInt(2), ...[...'0f-gZ\n é'].slice(randomInt(8)).slice(0, randomInt(3)))
  }
  return characters.join('')
}
