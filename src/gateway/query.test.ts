import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changedQuery, hasQueryName, queryTable, queryValues, withoutQueryName } from './query.ts'

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

test('a name counts without a value, too; a table has true for that, and a list for what is repeated', () => {
  assert.deepEqual(
    [hasQueryName('?a&b=1', 'a'), hasQueryName('?a&b=1', 'b'), hasQueryName('?ab', 'a')],
    [true, true, false],
  )
  assert.equal(hasQueryName('', 'a'), false)
  assert.deepEqual(queryTable('?a=1&f&a=%202&a&e=&&__proto__=x'), {
    a: ['1', ' 2', true],
    f: true,
    e: '',
    ['__proto__']: 'x',
  })
  assert.deepEqual(queryTable(''), {})
})

test('a query is changed where a rule says so, and is otherwise what it was, byte for byte', () => {
  const none = { remove: [], rename: [], replace: [], add: [], append: [] }
  const changed = (query: string, rules: Partial<Parameters<typeof changedQuery>[1]>) =>
    changedQuery(query, { ...none, ...rules })
  assert.equal(changed('?flag&a=%20b+c&%62=%zz', { add: [['k', 'v w&']] }), '?flag&a=%20b+c&%62=%zz&k=v%20w%26')
  assert.equal(changed('?flag&a=1&a=2&b', { remove: ['a', 'b', 'c'] }), '?flag')
  assert.equal(changed('?a=1', { remove: ['a'] }), '')
  assert.equal(changed('?n=0&o=%20&x&o', { rename: [{ name: 'o', value: 'n' }] }), '?n=%20&x&n')
  assert.equal(changed('?n=0', { rename: [{ name: 'o', value: 'n' }] }), '?n=0')
  assert.equal(
    changed('?a=1&b&a=2', {
      replace: [
        ['a', 'x'],
        ['c', 'y'],
      ],
    }),
    '?a=x&b',
  )
  assert.equal(changed('?a', { add: [['a', '1']], append: [['a', '2']] }), '?a&a=2')
  assert.equal(changed('', { append: [['a', '']] }), '?a=')
})
