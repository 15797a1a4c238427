import assert from 'node:assert/strict'
import { test } from 'node:test'
import { queryValues, withoutQueryName } from './query.ts'

test('values of a name are decoded, all of them, in order', () => {
  assert.deepEqual(queryValues('?a=1&b=2&a=x%20y+z', 'a'), ['1', 'x y z'])
  assert.deepEqual(queryValues('?%61=1', 'a'), ['1'])
  assert.deepEqual(queryValues('?a', 'a'), [])
  assert.deepEqual(queryValues('?', 'a'), [])
})

test('what cannot be decoded is taken as it is written', () => {
  assert.deepEqual(queryValues('?a=%zz', 'a'), ['%zz'])
})

test('removing a name leaves the rest as it came', () => {
  assert.equal(withoutQueryName('?a=1&key=k&b=%20&&c', 'key'), '?a=1&b=%20&&c')
  assert.equal(withoutQueryName('?key=k', 'key'), '')
  assert.equal(withoutQueryName('?x', 'key'), '?x')
})
