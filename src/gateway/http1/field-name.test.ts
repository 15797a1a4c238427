import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { fieldName, keyOf } from './field-name.ts'

test('what a name was cut out of is not kept with it', () => {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const before = process.memoryUsage().heapUsed
  for (let serial = 0; serial < 1_000; serial++) {
    const head = `x-name-of-a-header-${serial}: ${`${serial}`.padEnd(20_000, 'x')}`
    fieldName(Buffer.from(head).toString('latin1').slice(0, head.indexOf(':')))
  }
  collect()
  const grown = process.memoryUsage().heapUsed - before
  assert.ok(grown < 5_000_000, `${grown} bytes are kept of heads of 20 MB`)
})

test('a name is known by its lower case and as it is written, however many others there have been', () => {
  const expected = { key: 'x-one', prefix: '\r\nX-One: ' }
  assert.deepEqual(fieldName('X-One'), expected)
  for (let serial = 0; serial < 5_000; serial++) assert.equal(fieldName(`X-${serial}`)?.key, `x-${serial}`)
  assert.deepEqual(fieldName('X-One'), expected)
  for (const none of ['', 'a b', 'a:b', 'a\r\nb', 'naïve']) assert.equal(fieldName(none), undefined, none)
  assert.equal(keyOf('Not A Name'), 'not a name')
})
