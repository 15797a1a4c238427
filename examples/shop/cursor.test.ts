import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeCursor, encodeCursor } from './cursor.ts'

test('a cursor comes back as it was', () => {
  for (const after of ['a', 'wax-cold', '0190b0a0-0000-7000-8000-000000000000']) {
    assert.equal(decodeCursor(encodeCursor(after)), after)
  }
})

test('what is no cursor is none', () => {
  for (const text of ['', 'nonsense', '\0', encodeCursor('\0'), encodeCursor(''), 'e30', 'bnVsbA', 'W10']) {
    assert.equal(decodeCursor(text), undefined, text)
  }
})
