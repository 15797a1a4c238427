import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as parse from './arguments.ts'

test('durations have a unit, or are seconds', () => {
  assert.deepEqual(
    ['500ms', '30s', '2m', '1h', '1.5s', '7'].map(parse.duration),
    [500, 30_000, 120_000, 3_600_000, 1_500, 7_000],
  )
  for (const text of ['', '-1s', '0s', '5 s', '3d', 's', '1e3']) assert.throws(() => parse.duration(text), /like 30s/)
})

test('rates and counts are positive numbers, written plainly', () => {
  assert.equal(parse.rate('0.5'), 0.5)
  assert.equal(parse.count('12'), 12)
  for (const text of ['0', '-3', 'many', '1e9', ' 1', '0x10', '']) {
    assert.throws(() => parse.rate(text), /greater than 0/)
    assert.throws(() => parse.count(text), /whole number/)
  }
  assert.throws(() => parse.count('1.5'), /whole number/)
})

test('names and settings add up over several flags', () => {
  assert.deepEqual(parse.names('c', parse.names('a, b,')), ['a', 'b', 'c'])
  assert.throws(() => parse.names(' , '), /names/)
  assert.deepEqual(parse.setting('url=a=b', parse.setting('stock=5')), { stock: '5', url: 'a=b' })
  assert.throws(() => parse.setting('=5'), /name=value/)
})

test('digits are an integer key, everything else is text', () => {
  assert.equal(parse.shardingKey('12345'), 12_345)
  assert.equal(parse.shardingKey('007'), '007')
  assert.equal(parse.shardingKey('ada@example.com'), 'ada@example.com')
  assert.throws(() => parse.shardingKey('9007199254740993'), /2\^53/)
})

test('a base URL is http and keeps its path without a slash at the end', () => {
  assert.equal(parse.plainBaseUrl('http://127.0.0.1:8000/'), 'http://127.0.0.1:8000')
  assert.equal(parse.baseUrl('https://api.example.com/'), 'https://api.example.com')
  for (const text of ['a', 'ftp://a', 'https://a/?b']) assert.throws(() => parse.baseUrl(text))
  for (const text of ['127.0.0.1:8000', 'https://a', 'ftp://a', 'http://a/?b'])
    assert.throws(() => parse.plainBaseUrl(text))
})
