import assert from 'node:assert/strict'
import { test } from 'node:test'
import { changesOf, errorsAt, fieldErrors, valueAt, withValue } from './tree.ts'

const BEFORE = { minute: 100, hour: null, redis: { host: 'a', port: 6379 }, list: ['a', 'b'] }

test('changes are what differs: records field by field, lists whole, null for what is gone', () => {
  assert.equal(changesOf(BEFORE, { ...BEFORE }), undefined)
  const { minute: _, ...without } = BEFORE
  assert.deepEqual(changesOf(BEFORE, { ...without, list: ['b'], redis: { host: 'a', port: 1 } }), {
    minute: null,
    redis: { port: 1 },
    list: ['b'],
  })
  assert.deepEqual(changesOf(BEFORE, { ...BEFORE, redis: null }), { redis: null })
})

test('a value is set anywhere, and nothing else is another', () => {
  const after = withValue(BEFORE, ['redis', 'port'], 7000)
  assert.equal(valueAt(after, ['redis', 'port']), 7000)
  assert.equal(valueAt(after, ['redis', 'host']), 'a')
  assert.equal(BEFORE.redis.port, 6379)
  assert.deepEqual(withValue({}, ['queue', 'max_entries'], 5), { queue: { max_entries: 5 } })
  assert.equal(valueAt(BEFORE, ['minute', 'inner']), undefined)
})

test('the messages of a refusal are at their fields, those of items and of the whole entity too', () => {
  const errors = fieldErrors({
    config: { minute: 'value must be greater than 0', redis: { port: 'expected an integer' }, allow: [null, 'no IP'] },
    '@entity': ['at least one of these fields must be non-empty'],
  })
  assert.deepEqual(errorsAt(errors, ['config', 'minute']), ['value must be greater than 0'])
  assert.deepEqual(errorsAt(errors, ['config', 'redis', 'port']), ['expected an integer'])
  assert.deepEqual(errorsAt(errors, ['config', 'redis']), [])
  assert.deepEqual(errorsAt(errors, ['config', 'redis'], true), ['port: expected an integer'])
  assert.deepEqual(errorsAt(errors, ['config', 'allow']), ['2: no IP'])
  assert.deepEqual(errorsAt(errors, []), ['at least one of these fields must be non-empty'])
})

test('a message about the configuration as a whole is not at a field of it', () => {
  const errors = fieldErrors({ config: 'The limit for hour(5.0) cannot be lower than the limit for minute(10.0)' })
  assert.equal(errorsAt(errors, ['config']).length, 1)
  assert.deepEqual(errorsAt(errors, ['config', 'hour']), [])
})
