import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatTarget, parseTarget } from './target-name.ts'

test('what means the same target is written the same', () => {
  for (const [given, stored] of [
    ['Orders.Internal', 'orders.internal:8000'],
    ['orders:80', 'orders:80'],
    ['127.0.0.1', '127.0.0.1:8000'],
    ['::1', '[::1]:8000'],
    ['[::1]:80', '[::1]:80'],
    ['[2001:DB8::1]', '[2001:db8::1]:8000'],
    ['order_service:1', 'order_service:1'],
  ]) {
    assert.equal(formatTarget(given ?? ''), stored)
  }
})

test('what is no host is refused', () => {
  for (const text of ['', ':80', 'a b', 'orders:', 'orders:99999', '300.1.1.1', '[orders]:80', 'http://orders', '-a']) {
    assert.equal(parseTarget(text), undefined, text)
  }
})
