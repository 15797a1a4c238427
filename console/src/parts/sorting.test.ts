import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatSorting, parseSorting, sorted } from './sorting.ts'

test('rows are in order of a figure either way, and unknown ones come last both times', () => {
  const rows = [3, undefined, 10, Number.NaN, 1]
  assert.deepEqual(sorted(rows, (row) => row, 'descending').slice(0, 3), [10, 3, 1])
  assert.deepEqual(sorted(rows, (row) => row, 'ascending').slice(0, 3), [1, 3, 10])
})

test('names are in order of the alphabet', () => {
  assert.deepEqual(
    sorted(['b', 'a', 'C'], (row) => row, 'ascending'),
    ['a', 'b', 'C'],
  )
})

test('the order of a table reads back from its address', () => {
  const fallback = { column: 'name', direction: 'ascending' } as const
  for (const sorting of [fallback, { column: 'p95Ms', direction: 'descending' } as const]) {
    assert.deepEqual(parseSorting(formatSorting(sorting), fallback), sorting)
  }
  assert.deepEqual(parseSorting(undefined, fallback), fallback)
})
