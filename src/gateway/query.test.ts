import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  hasQueryName,
  queryParameters,
  queryValues,
  withoutQueryName,
  withQueryAppended,
  withQueryNameChanged,
  withQueryValue,
} from './query.ts'

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

test('a name is there with a value or without', () => {
  assert.deepEqual(
    ['?a=1&b', '?a=1&%62=', '?ab', '?', ''].map((query) => hasQueryName(query, 'b')),
    [true, true, false, false, false],
  )
})

test('parameters are a value, true without one, or a list of these', () => {
  assert.deepEqual(queryParameters('?a=1&a=2&f&e=&x%20y=%zz+&a&&=z'), {
    a: ['1', '2', true],
    f: true,
    e: '',
    'x y': '%zz ',
  })
  assert.deepEqual(Object.keys(queryParameters('?__proto__=1')), ['__proto__'])
  assert.deepEqual([queryParameters(''), queryParameters('?')], [{}, {}])
})

test('a name is changed where it stands, and takes the place of what had the other name', () => {
  const query = '?new=0&x=%2f+&old=a+b&old&y&&%6eew'
  assert.equal(withQueryNameChanged(query, 'old', 'new'), '?x=%2f+&new=a+b&new&y&')
  assert.equal(withQueryNameChanged('?a=%20', 'a', 'b&c'), '?b%26c=%20')
  for (const [name, changed] of [
    ['absent', 'new'],
    ['old', 'old'],
  ] as const) {
    assert.equal(withQueryNameChanged(query, name, changed), query)
  }
})

test('a value takes the place of all others of its name, or the end', () => {
  assert.equal(withQueryValue('?x&a=1&y=%20&a&b=2', 'a', 'n&w'), '?x&a=n%26w&y=%20&b=2')
  assert.equal(withQueryValue('?a', 'a', ''), '?a=')
  assert.equal(withQueryValue('?x', 'a', '1 2'), '?x&a=1%202')
})

test('parameters are appended behind what is there', () => {
  assert.equal(
    withQueryAppended('?a=+', [
      ['a', 'é'],
      ['f', true],
      ['s', '\ud800'],
    ]),
    '?a=+&a=%C3%A9&f&s=%EF%BF%BD',
  )
  assert.deepEqual([withQueryAppended('', [['a', '1']]), withQueryAppended('?', [['a', '1']])], ['?a=1', '?a=1'])
  assert.deepEqual(
    [withQueryAppended('', []), withQueryAppended('?', []), withQueryAppended('?a', [])],
    ['', '?', '?a'],
  )
})
