import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatAddress, parseAddress } from './address.ts'
import { parseTimeView, rangeOf, timeViewParameters } from './time-view.ts'

test('an address holds the view, what is open, and how it is shown, and reads back as it was', () => {
  const address = { view: 'traces', item: '4bf92f', parameters: { filter: 'POST /orders & more', only: 'failed' } }
  assert.deepEqual(parseAddress(formatAddress(address)), address)
  assert.deepEqual(parseAddress(''), { view: 'overview', item: undefined, parameters: {} })
  assert.equal(formatAddress({ view: 'services', item: undefined, parameters: { span: '' } }), '#/services')
})

test('an address that was cut in the middle of an escape is read as far as it goes', () => {
  assert.equal(parseAddress('#/traces/%E0%A').item, '%E0%A')
})

test('the time shown is in the address: a span that moves, or a range that stands', () => {
  const fixed = { kind: 'fixed', range: { fromMs: 1_000, toMs: 9_000 } } as const
  assert.deepEqual(parseTimeView(timeViewParameters(fixed)), fixed)
  const live = { kind: 'live', spanMs: 300_000 } as const
  assert.deepEqual(parseTimeView(timeViewParameters(live)), live)
  assert.deepEqual(rangeOf(live, 1_000_000), { fromMs: 700_000, toMs: 1_000_000 })
})

test('a time that makes no sense is the usual half hour', () => {
  const usual = { kind: 'live', spanMs: 1_800_000 }
  assert.deepEqual(parseTimeView({ from: '9000', to: '1000' }), usual)
  assert.deepEqual(parseTimeView({ span: 'long' }), usual)
})
