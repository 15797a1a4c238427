import assert from 'node:assert/strict'
import { test } from 'node:test'
import { contextFrom, newContext, remainingMs } from './context.ts'
import { traceIdOf } from './trace.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'

test('a valid traceparent is kept, so that one trace id joins all parts', () => {
  const context = contextFrom({ traceparent: `00-${TRACE}-00f067aa0ba902b7-01` })
  assert.equal(traceIdOf(context.traceparent), TRACE)
})

test('an invalid traceparent is replaced by a new trace, which is not kept', () => {
  for (const traceparent of ['', 'x', `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, `00-${TRACE}-00f067aa0ba902b7`]) {
    assert.match(contextFrom({ traceparent }).traceparent, /^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/)
  }
})

test('a deadline that came with a request is never extended', () => {
  assert.ok(remainingMs(contextFrom({ 'x-deadline-ms': '50' }, 1_000)) <= 50)
  for (const value of ['90000', '-1', 'soon', undefined]) {
    const remaining = remainingMs(contextFrom({ 'x-deadline-ms': value }, 1_000))
    assert.ok(remaining <= 1_000 && remaining > 0)
  }
  assert.equal(remainingMs(newContext(0)), 0)
})
